package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"sync"
)

// Resolver keeps resolv.conf(5) up to date with what all interfaces say.
type Resolver struct {
	Path string

	lock    sync.Mutex
	sources map[string]nameServers
}

type nameServers struct {
	servers []net.IP
	search  []string
	metric  int
}

// Set says what one interface knows; nothing of it is left without servers.
func (resolver *Resolver) Set(interfaceName string, known nameServers) error {
	resolver.lock.Lock()
	defer resolver.lock.Unlock()
	if resolver.sources == nil {
		resolver.sources = map[string]nameServers{}
	}
	if len(known.servers) == 0 {
		delete(resolver.sources, interfaceName)
	} else {
		resolver.sources[interfaceName] = known
	}
	return replaceFile(resolver.Path, resolver.text())
}

// mostServers is MAXNS of resolv.conf(5): the C library reads no more.
const mostServers = 3

func (resolver *Resolver) text() string {
	names := make([]string, 0, len(resolver.sources))
	for name := range resolver.sources {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		one, other := resolver.sources[names[i]], resolver.sources[names[j]]
		if one.metric != other.metric {
			return one.metric < other.metric
		}
		return names[i] < names[j]
	})
	var servers, search []string
	for _, name := range names {
		for _, server := range resolver.sources[name].servers {
			servers = appendNew(servers, server.String())
		}
		for _, domain := range resolver.sources[name].search {
			search = appendNew(search, domain)
		}
	}
	var text strings.Builder
	text.WriteString("# Written by gonet.\n")
	if len(search) > 0 {
		fmt.Fprintf(&text, "search %s\n", strings.Join(search, " "))
	}
	for at, server := range servers {
		if at < mostServers {
			fmt.Fprintf(&text, "nameserver %s\n", server)
		}
	}
	return text.String()
}

func appendNew(list []string, value string) []string {
	for _, known := range list {
		if known == value {
			return list
		}
	}
	return append(list, value)
}

// replaceFile writes beside the file and renames, so that nobody reads a half; a link is followed, once.
func replaceFile(path, text string) error {
	if target, err := os.Readlink(path); err == nil {
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
	beside := path + ".gonet"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(beside, []byte(text), 0o644); err != nil {
		return err
	}
	return os.Rename(beside, path)
}
