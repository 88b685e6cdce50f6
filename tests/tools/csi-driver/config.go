package main

import (
	"encoding/json"
	"fmt"
	"os"
)

// config is what the driver is told when it starts.
type config struct {
	// Name is the driver's.
	Name string `json:"name"`
	// Socket is where the controller listens.
	Socket string `json:"socket"`
	// Records is the folder of what exists.
	Records string `json:"records"`
	// Data is the folder of the volumes and snapshots.
	Data string `json:"data"`
	// PointInTime says that the data lies on btrfs, where a cut is one moment.
	PointInTime bool `json:"pointInTime"`
	// Knobs is the folder of how it should behave.
	Knobs string `json:"knobs"`
	// Calls is the file that calls are noted in.
	Calls string `json:"calls"`
	// Nodes are the kubelets it serves.
	Nodes []nodeConfig `json:"nodes"`
}

// nodeConfig is one kubelet.
type nodeConfig struct {
	// Name is the node's.
	Name string `json:"name"`
	// Socket is where the driver listens for this kubelet.
	Socket string `json:"socket"`
	// Endpoint is the same socket by the path that the kubelet sees.
	Endpoint string `json:"endpoint"`
	// Registration is the socket by which the kubelet learns of the driver.
	Registration string `json:"registration"`
	// MountNamespace is the namespace the kubelet mounts in, as in /proc/1/ns/mnt; the driver's own if empty.
	MountNamespace string `json:"mountNamespace"`
}

func readConfig(file string) (config, error) {
	var read config
	text, err := os.ReadFile(file)
	if err != nil {
		return read, err
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return read, fmt.Errorf("%s: %w", file, err)
	}
	return read, nil
}
