// go-driver drives Pebbles for Delphis. Delphis starts it; by hand: DELPHIS_DRIVER_ENDPOINT=unix:///tmp/d.sock go-driver
package main

import (
	"os"

	"delphis.dev/examples/go-driver/internal/host"
	"delphis.dev/examples/go-driver/internal/pebble"
)

func main() {
	os.Exit(host.Main(pebble.Driver{}, host.Default{
		Name: "dev.delphis.example-go", Version: "0.1.0", Vendor: "example", Model: "pebble-go",
	}))
}
