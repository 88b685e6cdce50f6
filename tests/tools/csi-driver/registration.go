package main

import (
	"context"
	"fmt"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// registrar tells a kubelet of the driver.
type registrar struct {
	registration.UnsafeRegistrationServer

	driver   string
	endpoint string
}

// nodeServers are what a kubelet finds: the driver, and who tells of it. The order matters, since the kubelet calls
// the driver as soon as it is told.
func nodeServers(driver *driver, config nodeConfig) []server {
	return []server{
		{config.Socket, func(to *grpc.Server) {
			csi.RegisterIdentityServer(to, driver)
			csi.RegisterNodeServer(to, &node{driver: driver, config: config})
		}},
		{config.Registration, func(to *grpc.Server) {
			registration.RegisterRegistrationServer(to, &registrar{driver: driver.name, endpoint: config.Endpoint})
		}},
	}
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: r.driver, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(
	_ context.Context, status *registration.RegistrationStatus,
) (*registration.RegistrationStatusResponse, error) {
	if !status.GetPluginRegistered() {
		fmt.Fprintln(os.Stderr, "the kubelet refuses the driver:", status.GetError())
	}
	return &registration.RegistrationStatusResponse{}, nil
}
