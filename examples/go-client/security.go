package main

import (
	"log"
	"net"
	"os"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

func address() string {
	if len(os.Args) < 2 {
		log.Fatal("usage: go-client ADDRESS [CA.pem]")
	}
	return os.Args[1]
}

// security is TLS where an authority is named. Without one a token would cross the network in clear: on this machine alone.
func security() credentials.TransportCredentials {
	if len(os.Args) > 2 {
		secure, err := credentials.NewClientTLSFromFile(os.Args[2], "")
		check(err)
		return secure
	}
	if host, _, err := net.SplitHostPort(address()); err != nil || !net.ParseIP(host).IsLoopback() {
		log.Fatal("another machine is called with TLS: name the authority's file, too")
	}
	return insecure.NewCredentials()
}
