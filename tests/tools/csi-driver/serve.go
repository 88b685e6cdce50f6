package main

import (
	"context"
	"net"
	"os"
	"path/filepath"

	"google.golang.org/grpc"
)

// server is one socket and what is offered on it.
type server struct {
	socket   string
	register func(*grpc.Server)
}

// serve serves until stop is done. Afterwards the sockets are gone, so that kubelets forget the driver.
func serve(stop context.Context, interceptor grpc.UnaryServerInterceptor, servers []server) error {
	ended := make(chan error, len(servers))
	for _, server := range servers {
		listener, err := listen(server.socket)
		if err != nil {
			return err
		}
		offered := grpc.NewServer(grpc.UnaryInterceptor(interceptor))
		server.register(offered)
		go func() { ended <- offered.Serve(listener) }()
		// Not gracefully: a call that hangs on purpose would keep it from ending.
		defer offered.Stop()
	}
	select {
	case err := <-ended:
		return err
	case <-stop.Done():
		return nil
	}
}

func listen(socket string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		return nil, err
	}
	// Left by one that was killed.
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	return net.Listen("unix", socket)
}
