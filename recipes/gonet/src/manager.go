package main

import (
	"context"
	"net"
	"os"
	"sort"
	"sync"
	"time"
)

// Manager gives each interface what the first network that matches it says, and takes it back.
type Manager struct {
	Resolver *Resolver
	Log      func(format string, args ...any)

	networks []Network
	// running is only touched by the goroutine that calls Load, Look and Close.
	running map[int]*worker
	lock    sync.Mutex
	// waiting holds the names of interfaces that are required and have no address yet.
	waiting map[string]bool
}

// worker is an interface that is being configured.
type worker struct {
	link    net.Interface
	network Network
	stop    context.CancelFunc
	done    chan struct{}
}

// Load reads the networks and applies them; interfaces whose network did not change are left alone.
func (manager *Manager) Load(folder string) {
	networks, problems := LoadNetworks(folder)
	for _, problem := range problems {
		manager.Log("%v", problem)
	}
	manager.networks = networks
	manager.Look()
}

// Look compares the interfaces there are with those that are configured.
func (manager *Manager) Look() {
	if manager.running == nil {
		manager.running = map[int]*worker{}
		manager.waiting = map[string]bool{}
	}
	links, err := net.Interfaces()
	if err != nil {
		manager.Log("cannot list the interfaces: %v", err)
		return
	}
	present := map[int]bool{}
	for _, link := range links {
		present[link.Index] = true
		manager.fit(link)
	}
	for index, one := range manager.running {
		if !present[index] {
			manager.end(one)
		}
	}
}

func (manager *Manager) fit(link net.Interface) {
	if link.Flags&net.FlagLoopback != 0 {
		if link.Flags&net.FlagUp == 0 {
			manager.report(link, SetUp(link.Index, 0))
		}
		return
	}
	network := manager.networkOf(link)
	if one := manager.running[link.Index]; one != nil {
		if network != nil && one.link.Name == link.Name && equal(one.network, *network) {
			return
		}
		manager.end(one)
	}
	if network == nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	one := &worker{link, *network, stop, make(chan struct{})}
	manager.running[link.Index] = one
	manager.expect(link.Name, network.Required && (network.DHCP || len(network.Addresses) > 0))
	go func() {
		defer close(one.done)
		manager.configure(ctx, one)
	}()
}

func (manager *Manager) networkOf(link net.Interface) *Network {
	for at := range manager.networks {
		if manager.networks[at].Matches(link) {
			return &manager.networks[at]
		}
	}
	return nil
}

// configure ends, for a fixed network, once the addresses are set; for DHCP, with the context.
func (manager *Manager) configure(ctx context.Context, one *worker) {
	link, network := one.link, one.network
	if !manager.report(link, SetUp(link.Index, network.MTU)) {
		return
	}
	for _, address := range network.Addresses {
		manager.report(link, AddAddress(link.Index, address, 0))
	}
	for _, gateway := range network.Gateways {
		manager.report(link, AddRoute(link.Index, Route{Gateway: gateway, Metric: network.Metric}))
	}
	manager.report(link, manager.Resolver.Set(link.Name, nameServers{network.DNS, network.Search, network.Metric}))
	if !network.DHCP {
		manager.expect(link.Name, false)
		return
	}
	hostname, err := os.Hostname()
	if err != nil || !isDomain(hostname) || hostname == "(none)" || len(hostname) > 63 {
		hostname = ""
	}
	client := Client{
		Link: link, Hostname: hostname, Log: manager.Log,
		Got:  func(lease Lease) error { return manager.take(one, lease) },
		Lost: func(lease Lease) { manager.giveBack(one, lease) },
	}
	client.Run(ctx)
}

// take gives the interface what the lease says. The operator's own words count before the server's.
func (manager *Manager) take(one *worker, lease Lease) error {
	link, network := one.link, one.network
	if lease.MTU > 0 && network.MTU == 0 {
		manager.report(link, SetUp(link.Index, lease.MTU))
	}
	if err := AddAddress(link.Index, lease.Address, time.Until(lease.Since.Add(lease.End))); err != nil {
		return err
	}
	routes := append([]Route{}, lease.Routes...)
	// A gateway can be behind a route of the same lease that needs none.
	sort.SliceStable(routes, func(i, j int) bool { return routes[i].Gateway == nil && routes[j].Gateway != nil })
	for _, route := range routes {
		route.Metric = network.Metric
		manager.report(link, AddRoute(link.Index, route))
	}
	known := nameServers{append(append([]net.IP{}, network.DNS...), lease.DNS...), append(append([]string{}, network.Search...), lease.Search...), network.Metric}
	manager.report(link, manager.Resolver.Set(link.Name, known))
	manager.Log("%s: %s from %s for %s", link.Name, lease.Address, lease.Server, lease.End)
	manager.expect(link.Name, false)
	return nil
}

func (manager *Manager) giveBack(one *worker, lease Lease) {
	manager.report(one.link, RemoveAddress(one.link.Index, lease.Address))
	manager.report(one.link, manager.Resolver.Set(one.link.Name, nameServers{one.network.DNS, one.network.Search, one.network.Metric}))
}

// end takes the addresses away that were given, those of leases included.
func (manager *Manager) end(one *worker) {
	one.stop()
	<-one.done
	delete(manager.running, one.link.Index)
	manager.expect(one.link.Name, false)
	if held, err := one.link.Addrs(); err == nil {
		for _, address := range held {
			if subnet, ok := address.(*net.IPNet); ok && subnet.IP.IsGlobalUnicast() {
				manager.report(one.link, RemoveAddress(one.link.Index, &net.IPNet{IP: shorten(subnet.IP), Mask: subnet.Mask}))
			}
		}
	}
	manager.report(one.link, manager.Resolver.Set(one.link.Name, nameServers{}))
}

// Close leaves all addresses as they are, so that a restart does not cut connections.
func (manager *Manager) Close() {
	for _, one := range manager.running {
		one.stop()
	}
	for _, one := range manager.running {
		<-one.done
	}
}

func (manager *Manager) report(link net.Interface, err error) bool {
	if err != nil {
		manager.Log("%s: %v", link.Name, err)
	}
	return err == nil
}

func (manager *Manager) expect(name string, missing bool) {
	manager.lock.Lock()
	defer manager.lock.Unlock()
	if missing {
		manager.waiting[name] = true
	} else {
		delete(manager.waiting, name)
	}
}

// Await returns when all interfaces that are required have their addresses, or when the time is over.
func (manager *Manager) Await(most time.Duration) {
	for end := time.Now().Add(most); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		manager.lock.Lock()
		left := len(manager.waiting)
		manager.lock.Unlock()
		if left == 0 {
			return
		}
	}
}
