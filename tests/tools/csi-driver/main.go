// A CSI driver for tests: volumes are folders, and tests decide how long a cut takes and whether it succeeds.
//
// It keeps nothing in memory that matters, so it may be killed and started again at any time: what exists is in
// records on disk (store.go), the data in folders (data.go), how it should behave in files that tests write (knobs.go).
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: csi-driver CONFIG.json")
		os.Exit(2)
	}
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "csi-driver:", err)
		os.Exit(1)
	}
}

func run(file string) error {
	config, err := readConfig(file)
	if err != nil {
		return err
	}
	driver, err := newDriver(config)
	if err != nil {
		return err
	}
	stop, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()

	servers := []server{{config.Socket, func(to *grpc.Server) {
		csi.RegisterIdentityServer(to, driver)
		csi.RegisterControllerServer(to, driver)
		csi.RegisterGroupControllerServer(to, driver)
		// A caller without a kubelet, such as csi-sanity, finds all of it on one socket.
		csi.RegisterNodeServer(to, &node{driver: driver, config: nodeConfig{Name: "local"}})
	}}}
	for _, config := range config.Nodes {
		servers = append(servers, nodeServers(driver, config)...)
	}
	return serve(stop, driver.calls.intercept, servers)
}
