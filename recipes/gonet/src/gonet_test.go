package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestNetworks(t *testing.T) {
	network, err := ParseNetwork("lan", strings.NewReader("# a comment\ninterface = eth*\naddress = 192.168.1.5/24 fd00::5/64\ngateway = 192.168.1.1\ndns = 9.9.9.9\nsearch = example.org\nmtu = 1400\n"))
	if err != nil {
		t.Fatal(err)
	}
	if len(network.Addresses) != 2 || network.Addresses[0].String() != "192.168.1.5/24" || network.MTU != 1400 || network.DHCP {
		t.Errorf("read %+v", network)
	}
	if !network.Matches(net.Interface{Name: "eth7"}) || network.Matches(net.Interface{Name: "wlan0"}) {
		t.Error("the pattern does not match as it should")
	}
}

func TestBadNetworks(t *testing.T) {
	for text, want := range map[string]string{
		"address = dhcp":                                             "1: no interface is given",
		"interface = eth0\nadress = dhcp":                            "2: adress: no such key",
		"interface = eth0\ninterface = eth1":                         "2: interface is given twice",
		"interface = eth[":                                           "1: interface: expected a name or a pattern",
		"interface":                                                  "1: expected key = value",
		"interface = eth0\naddress = 10.0.0.1":                       `2: address: expected dhcp or an address such as 192.168.1.5/24, not "10.0.0.1"`,
		"interface = eth0\naddress = 10.0.0.0/8":                     "names a network",
		"interface = eth0\naddress = 10.0.0.1/8\ngateway = 11.0.0.1": "in none of the networks",
		"interface = eth0\naddress = dhcp\ngateway = 10.0.0.1":       "comes from its server",
		"interface = eth0\nmtu = 12":                                 "expected a number from 576 to 65536",
		"interface = eth0\nsearch = a;b":                             `"a;b" is no domain`,
		"interface = eth0\nrequired = maybe":                         "expected yes or no",
	} {
		if _, err := ParseNetwork("x", strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
}

func TestOneBadFileDoesNotHideTheOthers(t *testing.T) {
	folder := t.TempDir()
	write(t, filepath.Join(folder, "a.net"), "interface eth0")
	write(t, filepath.Join(folder, "b.net"), "interface = eth0\naddress = dhcp\n")
	networks, problems := LoadNetworks(folder)
	if len(networks) != 1 || networks[0].Name != "b" || len(problems) != 1 || !strings.Contains(problems[0].Error(), "a.net:1:") {
		t.Errorf("got %v and %v", networks, problems)
	}
}

func offer(kind byte) Packet {
	return Packet{Reply: true, Transaction: 7, Yours: net.IPv4(10, 9, 0, 50), Options: map[byte][]byte{
		optionType: {kind}, optionServer: {10, 9, 0, 1}, optionMask: {255, 255, 255, 0}, optionRouter: {10, 9, 0, 1},
		optionDNS: {10, 9, 0, 2, 10, 9, 0, 3}, optionDomain: []byte("example.org"), optionLease: {0, 0, 14, 16},
	}}
}

// encodeReply is a server's: everything that the test put into it.
func encodeReply(packet Packet, hardware net.HardwareAddr) []byte {
	message := make([]byte, fixedSize)
	message[0], message[1], message[2] = 2, 1, byte(len(hardware))
	binary.BigEndian.PutUint32(message[4:], packet.Transaction)
	copy(message[16:20], packet.Yours.To4())
	copy(message[28:44], hardware)
	message = append(message, magicCookie...)
	for option, value := range packet.Options {
		message = append(append(message, option, byte(len(value))), value...)
	}
	return append(message, optionEnd)
}

func TestPackets(t *testing.T) {
	hardware := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	read, err := ParsePacket(encodeReply(offer(dhcpAck), hardware))
	if err != nil || read.Type() != dhcpAck || !bytes.Equal(read.Hardware, hardware) || read.Transaction != 7 {
		t.Fatalf("%+v, %v", read, err)
	}
	lease, err := LeaseOf(read, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if lease.Address.String() != "10.9.0.50/24" || lease.End != time.Hour || lease.Renew != 30*time.Minute || len(lease.DNS) != 2 {
		t.Errorf("%+v", lease)
	}
	if len(lease.Routes) != 1 || lease.Routes[0].Destination != nil || lease.Routes[0].Gateway.String() != "10.9.0.1" {
		t.Errorf("%+v", lease.Routes)
	}
	whole := encodeReply(offer(dhcpAck), hardware)
	for size := range whole {
		// Cut anywhere, it is refused or read as far as it goes, and never more than that.
		_, _ = ParsePacket(whole[:size])
	}
}

func TestHostileLeases(t *testing.T) {
	for name, damage := range map[string]func(*Packet){
		"no server":         func(p *Packet) { delete(p.Options, optionServer) },
		"no time":           func(p *Packet) { p.Options[optionLease] = []byte{1} },
		"no address":        func(p *Packet) { p.Yours = net.IPv4zero },
		"broadcast":         func(p *Packet) { p.Yours = net.IPv4bcast },
		"loopback":          func(p *Packet) { p.Yours = net.IPv4(127, 0, 0, 1) },
		"mask with holes":   func(p *Packet) { p.Options[optionMask] = []byte{255, 0, 255, 0} },
		"mask of every net": func(p *Packet) { p.Options[optionMask] = []byte{0, 0, 0, 0} },
	} {
		packet := offer(dhcpAck)
		damage(&packet)
		if lease, err := LeaseOf(packet, time.Now()); err == nil {
			t.Errorf("%s: taken as %+v", name, lease)
		}
	}
	packet := offer(dhcpAck)
	packet.Options[optionDomain] = []byte("good.example\nnameserver 6.6.6.6")
	packet.Options[optionLease] = []byte{0, 0, 0, 0}
	packet.Options[optionRenewal] = []byte{255, 255, 255, 255}
	lease, err := LeaseOf(packet, time.Now())
	if err != nil || lease.End != shortestLease || lease.Renew > lease.Rebind || lease.Rebind > lease.End {
		t.Errorf("%+v, %v", lease, err)
	}
	resolver := Resolver{Path: filepath.Join(t.TempDir(), "resolv.conf")}
	if err := resolver.Set("eth0", nameServers{servers: lease.DNS, search: lease.Search}); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(resolver.Path)
	if strings.Contains(string(text), "6.6.6.6") || !strings.Contains(string(text), "nameserver 10.9.0.2") {
		t.Errorf("resolv.conf:\n%s", text)
	}
}

func TestClasslessRoutes(t *testing.T) {
	routes := routesIn([]byte{24, 10, 1, 2, 10, 9, 0, 1, 32, 10, 9, 0, 1, 0, 0, 0, 0, 0, 10, 9, 0, 1, 33, 1})
	var seen []string
	for _, route := range routes {
		seen = append(seen, fmt.Sprintf("%v via %v", route.Destination, route.Gateway))
	}
	want := []string{"10.1.2.0/24 via 10.9.0.1", "10.9.0.1/32 via <nil>", "<nil> via 10.9.0.1"}
	if !reflect.DeepEqual(seen, want) {
		t.Errorf("got %q", seen)
	}
}

func TestResolverMerges(t *testing.T) {
	folder := t.TempDir()
	resolver := Resolver{Path: filepath.Join(folder, "etc", "resolv.conf")}
	if err := os.MkdirAll(filepath.Join(folder, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../run/resolv.conf", resolver.Path); err != nil {
		t.Fatal(err)
	}
	for name, known := range map[string]nameServers{
		"wlan0": {[]net.IP{net.IPv4(1, 1, 1, 1), net.IPv4(2, 2, 2, 2)}, []string{"b"}, 200},
		"eth0":  {[]net.IP{net.IPv4(2, 2, 2, 2), net.IPv4(3, 3, 3, 3)}, []string{"a", "b"}, 100},
	} {
		if err := resolver.Set(name, known); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "run", "resolv.conf"))
	want := "# Written by gonet.\nsearch a b\nnameserver 2.2.2.2\nnameserver 3.3.3.3\nnameserver 1.1.1.1\n"
	if err != nil || string(text) != want {
		t.Errorf("%q, %v", text, err)
	}
}

// TestLease runs a server and the manager at the two ends of a cable, in namespaces of their own.
func TestLease(t *testing.T) {
	if os.Getenv("GONET_TEST_NAMESPACE") == "" {
		again := exec.Command("/proc/self/exe", "-test.run=^TestLease$", "-test.v")
		again.Env = append(os.Environ(), "GONET_TEST_NAMESPACE=1")
		again.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		}
		output, err := again.CombinedOutput()
		if err != nil && again.ProcessState == nil {
			t.Skipf("no namespaces here: %v", err)
		}
		if bytes.Contains(output, []byte("--- SKIP")) {
			t.Skipf("%s", output)
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		return
	}
	cable(t, "net0", "net1")
	server, err := net.InterfaceByName("net1")
	if err != nil {
		t.Fatal(err)
	}
	// Both ends are this machine, which by itself takes nothing that comes from its own addresses.
	if err := os.WriteFile("/proc/sys/net/ipv4/conf/all/accept_local", []byte("1"), 0); err != nil {
		t.Skipf("cannot set up the cable: %v", err)
	}
	for _, step := range []error{
		SetUp(server.Index, 0),
		AddAddress(server.Index, &net.IPNet{IP: net.IPv4(10, 9, 0, 1).To4(), Mask: net.CIDRMask(24, 32)}, 0),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	requests := serve(t, *server)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "lan.net"), "interface = net0\naddress = dhcp 10.8.0.7/24\n")
	manager := &Manager{Resolver: &Resolver{Path: filepath.Join(folder, "resolv.conf")}, Log: t.Logf}
	manager.Load(folder)
	manager.Await(20 * time.Second)
	link, _ := net.InterfaceByName("net0")
	if got := addressesOf(t, *link); !reflect.DeepEqual(got, []string{"10.8.0.7/24", "10.9.0.50/24"}) {
		t.Errorf("the interface has %q", got)
	}
	if routes, _ := os.ReadFile("/proc/self/net/route"); !bytes.Contains(routes, []byte("net0\t00000000\t0100090A")) {
		t.Errorf("no default route:\n%s", routes)
	}
	if text, _ := os.ReadFile(filepath.Join(folder, "resolv.conf")); !strings.Contains(string(text), "search example.org\nnameserver 10.9.0.2\n") {
		t.Errorf("resolv.conf: %q", text)
	}
	// The lease is to be renewed after a second, by a request of its own.
	deadline := time.After(10 * time.Second)
	for seen := 0; seen < 3; seen++ {
		select {
		case <-requests:
		case <-deadline:
			t.Fatalf("the lease was not renewed: %d requests", seen)
		}
	}
	write(t, filepath.Join(folder, "lan.net"), "interface = net0\naddress = 10.8.0.9/24\n")
	manager.Load(folder)
	manager.Await(5 * time.Second)
	if got := addressesOf(t, *link); !reflect.DeepEqual(got, []string{"10.8.0.9/24"}) {
		t.Errorf("after the change the interface has %q", got)
	}
	manager.Close()
}

// cable makes two interfaces, each the other end of the other.
func cable(t *testing.T, one, other string) {
	t.Helper()
	const linkInfo, infoKind, infoData, vethPeer = 18, 1, 2, 1
	peer := attribute(make([]byte, syscall.SizeofIfInfomsg), syscall.IFLA_IFNAME, []byte(other+"\x00"))
	data := attribute(nil, vethPeer, peer)
	info := attribute(attribute(nil, infoKind, []byte("veth")), infoData, data)
	body := attribute(make([]byte, syscall.SizeofIfInfomsg), syscall.IFLA_IFNAME, []byte(one+"\x00"))
	if err := change(syscall.RTM_NEWLINK, syscall.NLM_F_CREATE|syscall.NLM_F_EXCL, attribute(body, linkInfo, info)); err != nil {
		t.Skipf("no virtual cables here: %v", err)
	}
}

// serve answers every question with the same address, and tells of requests.
func serve(t *testing.T, link net.Interface) <-chan struct{} {
	t.Helper()
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		return raw.Control(func(descriptor uintptr) {
			_ = syscall.SetsockoptInt(int(descriptor), syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
			_ = syscall.BindToDevice(int(descriptor), link.Name)
		})
	}}
	socket, err := config.ListenPacket(context.Background(), "udp4", ":67")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	requests := make(chan struct{}, 16)
	go func() {
		buffer := make([]byte, 4096)
		for {
			size, from, err := socket.ReadFrom(buffer)
			if err != nil {
				return
			}
			asked := append([]byte{}, buffer[:size]...)
			asked[0] = 2
			question, err := ParsePacket(asked)
			if err != nil {
				continue
			}
			answer := offer(dhcpOffer)
			if question.Type() == dhcpRequest {
				answer = offer(dhcpAck)
				requests <- struct{}{}
			}
			answer.Transaction = question.Transaction
			answer.Options[optionRenewal] = []byte{0, 0, 0, 1}
			to := net.Addr(&net.UDPAddr{IP: net.IPv4bcast, Port: clientPort})
			if asked[12] != 0 {
				to = from
			}
			_, _ = socket.WriteTo(encodeReply(answer, question.Hardware), to)
		}
	}()
	return requests
}

func addressesOf(t *testing.T, link net.Interface) []string {
	t.Helper()
	held, err := link.Addrs()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, address := range held {
		if text := address.String(); !strings.HasPrefix(text, "fe80") {
			list = append(list, text)
		}
	}
	return list
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
