// go-client lists volumes: go-client ADDRESS [CA.pem], with the token in DELPHIS_TOKEN where one is needed.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	inventoryv1 "delphis.dev/go/delphis/inventory/v1"
)

func main() {
	connection, err := grpc.NewClient(address(), grpc.WithTransportCredentials(security()))
	check(err)
	volumes := inventoryv1.NewResourceServiceClient(connection)
	ctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+os.Getenv("DELPHIS_TOKEN"))
	for request := (&inventoryv1.ListVolumesRequest{PageSize: 1000}); ; {
		page, err := volumes.ListVolumes(ctx, request)
		check(err)
		for _, volume := range page.Volumes {
			fmt.Println(volume.GetId(), volume.GetName(), volume.GetTotalCapacity())
		}
		if request.PageToken = page.NextPageToken; request.PageToken == "" {
			return
		}
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
