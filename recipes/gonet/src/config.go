package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
)

// Network is one file `NAME.net`: which interfaces it is for, and what they get.
type Network struct {
	Name string
	// Interface is a pattern as a shell's; MAC, where given, must match as well.
	Interface string
	MAC       net.HardwareAddr
	DHCP      bool
	Addresses []*net.IPNet
	Gateways  []net.IP
	DNS       []net.IP
	Search    []string
	MTU       int
	Metric    int
	// Required interfaces are waited for before gonet says that it is ready.
	Required bool
}

// LoadNetworks reads all files of a folder in the order of their names. What cannot be read is left out and told:
// one bad file must not keep the others from the network.
func LoadNetworks(folder string) ([]Network, []error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.net"))
	if err != nil {
		return nil, []error{err}
	}
	sort.Strings(files)
	var networks []Network
	var problems []error
	for _, file := range files {
		network, err := readNetwork(file)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		networks = append(networks, network)
	}
	return networks, problems
}

func readNetwork(file string) (Network, error) {
	opened, err := os.Open(file)
	if err != nil {
		return Network{}, err
	}
	defer opened.Close()
	network, err := ParseNetwork(strings.TrimSuffix(filepath.Base(file), ".net"), opened)
	if err != nil {
		return Network{}, fmt.Errorf("%s:%w", file, err)
	}
	return network, nil
}

// ParseNetwork reads lines `key = value`; `#` begins a comment line. Errors begin with the line number.
func ParseNetwork(name string, input io.Reader) (Network, error) {
	network := Network{Name: name, Required: true, Metric: 100}
	seen := map[string]bool{}
	lines := bufio.NewScanner(input)
	number := 0
	for lines.Scan() {
		number++
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if !found {
			return network, fmt.Errorf("%d: expected key = value", number)
		}
		if seen[key] {
			return network, fmt.Errorf("%d: %s is given twice", number, key)
		}
		seen[key] = true
		if err := network.set(key, value); err != nil {
			return network, fmt.Errorf("%d: %s: %w", number, key, err)
		}
	}
	if err := lines.Err(); err != nil {
		return network, fmt.Errorf("%d: %w", number+1, err)
	}
	switch {
	case network.Interface == "":
		return network, fmt.Errorf("%d: no interface is given", number)
	case network.DHCP && len(network.Gateways) > 0:
		return network, fmt.Errorf("%d: the gateway of a dhcp network comes from its server", number)
	}
	return network, network.reachable(number)
}

// reachable refuses a gateway that no address of the network could talk to.
func (network *Network) reachable(number int) error {
	for _, gateway := range network.Gateways {
		found := false
		for _, address := range network.Addresses {
			found = found || address.Contains(gateway)
		}
		if !found {
			return fmt.Errorf("%d: the gateway %s is in none of the networks of the addresses", number, gateway)
		}
	}
	return nil
}

func (network *Network) set(key, value string) error {
	var err error
	switch key {
	case "interface":
		network.Interface = value
		if _, bad := path.Match(value, ""); bad != nil || value == "" || strings.ContainsAny(value, "/ ") {
			err = errors.New("expected a name or a pattern such as eth*")
		}
	case "mac":
		network.MAC, err = net.ParseMAC(value)
	case "address":
		err = network.setAddresses(value)
	case "gateway":
		network.Gateways, err = addresses(value)
	case "dns":
		network.DNS, err = addresses(value)
	case "search":
		network.Search = strings.Fields(value)
		for _, domain := range network.Search {
			if !isDomain(domain) {
				err = fmt.Errorf("%q is no domain", domain)
			}
		}
	case "mtu":
		network.MTU, err = between(value, 576, 65536)
	case "metric":
		network.Metric, err = between(value, 0, 1<<31-1)
	case "required":
		network.Required = value == "yes"
		if value != "yes" && value != "no" {
			err = errors.New("expected yes or no")
		}
	default:
		err = errors.New("no such key")
	}
	return err
}

// setAddresses takes `dhcp`, addresses with the length of their network, or both.
func (network *Network) setAddresses(value string) error {
	for _, word := range strings.Fields(value) {
		if word == "dhcp" {
			network.DHCP = true
			continue
		}
		ip, subnet, err := net.ParseCIDR(word)
		if err != nil {
			return fmt.Errorf("expected dhcp or an address such as 192.168.1.5/24, not %q", word)
		}
		if ip.Equal(subnet.IP) && !isHost(subnet) {
			return fmt.Errorf("%s names a network, not a machine in it", word)
		}
		subnet.IP = shorten(ip)
		network.Addresses = append(network.Addresses, subnet)
	}
	return nil
}

func isHost(subnet *net.IPNet) bool {
	ones, bits := subnet.Mask.Size()
	return bits-ones <= 1
}

func addresses(value string) ([]net.IP, error) {
	var list []net.IP
	for _, word := range strings.Fields(value) {
		ip := net.ParseIP(word)
		if ip == nil {
			return nil, fmt.Errorf("%q is no address", word)
		}
		list = append(list, shorten(ip))
	}
	return list, nil
}

// shorten gives an IPv4 address its four bytes.
func shorten(ip net.IP) net.IP {
	if four := ip.To4(); four != nil {
		return four
	}
	return ip
}

func between(value string, least, most int) (int, error) {
	number, err := strconv.Atoi(value)
	if err != nil || number < least || number > most {
		return 0, fmt.Errorf("expected a number from %d to %d", least, most)
	}
	return number, nil
}

// isDomain holds for names that can stand in resolv.conf without changing the meaning of anything after them.
func isDomain(name string) bool {
	if name == "" || len(name) > 253 {
		return false
	}
	for _, char := range name {
		switch {
		case char >= 'a' && char <= 'z', char >= 'A' && char <= 'Z', char >= '0' && char <= '9', char == '-', char == '.', char == '_':
		default:
			return false
		}
	}
	return true
}

// Matches says whether the network is meant for an interface.
func (network *Network) Matches(link net.Interface) bool {
	named, _ := path.Match(network.Interface, link.Name)
	return named && (network.MAC == nil || network.MAC.String() == link.HardwareAddr.String())
}

// equal holds where nothing would be configured differently.
func equal(one, other Network) bool { return reflect.DeepEqual(one, other) }
