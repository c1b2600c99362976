// SPDX-License-Identifier: Apache-2.0

// Drives CNI plugins through libcni, the library that container runtimes drive them with: what cnitool
// does, and GC and STATUS, which came to libcni after Debian's version, by its plugin invocation.
//
//	driver VERB LIST [CONTAINER NETNS [CAPABILITIES]]
//
// VERB: add, check, del, validate, version, gc, status. LIST: a network configuration list's file.
// CAPABILITIES: a JSON object. Environment: CNI_PATH, CNI_CACHE. Prints what the plugin answered; exit
// status 1 and the error, as JSON where it is CNI's, on standard error.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containernetworking/cni/libcni"
	"github.com/containernetworking/cni/pkg/invoke"
	"github.com/containernetworking/cni/pkg/types"
)

func fail(err error) {
	// libcni says which plugin failed around the plugin's own error.
	var cniError *types.Error
	if errors.As(err, &cniError) {
		text, _ := json.Marshal(cniError)
		fmt.Fprintln(os.Stderr, string(text))
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(1)
}

// attachment is what the runtime knows of a container.
func attachment(words []string) *libcni.RuntimeConf {
	runtime := &libcni.RuntimeConf{IfName: "eth0"}
	if len(words) > 1 {
		runtime.ContainerID, runtime.NetNS = words[0], words[1]
	}
	if len(words) > 2 {
		if err := json.Unmarshal([]byte(words[2]), &runtime.CapabilityArgs); err != nil {
			fail(err)
		}
	}
	return runtime
}

// versions asks every plugin of the list.
func versions(ctx context.Context, cni *libcni.CNIConfig, list *libcni.NetworkConfigList) error {
	for _, plugin := range list.Plugins {
		info, err := cni.GetVersionInfo(ctx, plugin.Network.Type)
		if err != nil {
			return err
		}
		fmt.Println(plugin.Network.Type, info.SupportedVersions())
	}
	return nil
}

// withoutContainer calls the first plugin of the list as libcni 1.2 calls all of them for GC and STATUS.
func withoutContainer(ctx context.Context, verb string, path []string,
	list *libcni.NetworkConfigList) error {
	var conf map[string]interface{}
	if err := json.Unmarshal(list.Plugins[0].Bytes, &conf); err != nil {
		return err
	}
	conf["name"], conf["cniVersion"] = list.Name, "1.1.0"
	if verb == "GC" {
		valid := []map[string]string{}
		if text := os.Getenv("VALID_ATTACHMENTS"); text != "" {
			if err := json.Unmarshal([]byte(text), &valid); err != nil {
				return err
			}
		}
		conf["cni.dev/valid-attachments"], conf["cni.dev/attachments"] = valid, valid
	}
	text, err := json.Marshal(conf)
	if err != nil {
		return err
	}
	plugin, err := invoke.FindInPath(list.Plugins[0].Network.Type, path)
	if err != nil {
		return err
	}
	args := &invoke.Args{Command: verb, Path: os.Getenv("CNI_PATH")}
	return invoke.ExecPluginWithoutResult(ctx, plugin, text, args, nil)
}

func run(verb string, list *libcni.NetworkConfigList, words []string) error {
	ctx := context.Background()
	path := filepath.SplitList(os.Getenv("CNI_PATH"))
	cni := libcni.NewCNIConfigWithCacheDir(path, os.Getenv("CNI_CACHE"), nil)
	switch verb {
	case "add":
		result, err := cni.AddNetworkList(ctx, list, attachment(words))
		if err != nil {
			return err
		}
		return result.Print()
	case "check":
		return cni.CheckNetworkList(ctx, list, attachment(words))
	case "del":
		return cni.DelNetworkList(ctx, list, attachment(words))
	case "validate":
		capabilities, err := cni.ValidateNetworkList(ctx, list)
		fmt.Println(capabilities)
		return err
	case "version":
		return versions(ctx, cni, list)
	case "gc":
		return withoutContainer(ctx, "GC", path, list)
	case "status":
		return withoutContainer(ctx, "STATUS", path, list)
	}
	return fmt.Errorf("unknown verb %q", verb)
}

func main() {
	if len(os.Args) < 3 {
		fail(fmt.Errorf("usage: driver VERB LIST [CONTAINER NETNS [CAPABILITIES]]"))
	}
	list, err := libcni.ConfListFromFile(os.Args[2])
	if err != nil {
		fail(err)
	}
	if err := run(os.Args[1], list, os.Args[3:]); err != nil {
		fail(err)
	}
}
