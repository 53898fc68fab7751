package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"time"
)

// Message types of RFC 2131.
const (
	dhcpDiscover = 1
	dhcpOffer    = 2
	dhcpRequest  = 3
	dhcpAck      = 5
	dhcpNak      = 6
)

// Options of RFC 2132, and classless routes of RFC 3442.
const (
	optionMask       = 1
	optionRouter     = 3
	optionDNS        = 6
	optionHostname   = 12
	optionDomain     = 15
	optionMTU        = 26
	optionAddress    = 50
	optionLease      = 51
	optionType       = 53
	optionServer     = 54
	optionParameters = 55
	optionRenewal    = 58
	optionRebinding  = 59
	optionClientID   = 61
	optionRoutes     = 121
	optionEnd        = 255
)

var (
	magicCookie = []byte{99, 130, 83, 99}
	wanted      = []byte{optionMask, optionRouter, optionDNS, optionDomain, optionMTU, optionRenewal, optionRebinding, optionRoutes}
)

const fixedSize = 236

// Packet is a message of DHCP, as far as a client needs it.
type Packet struct {
	Reply       bool
	Transaction uint32
	Seconds     uint16
	// Client is the address that a client already has; Yours is what a server gives.
	Client, Yours net.IP
	Hardware      net.HardwareAddr
	Options       map[byte][]byte
}

// Encode writes a request that asks for its answer by broadcast, since there is no address yet to receive it.
func (packet Packet) Encode() []byte {
	message := make([]byte, fixedSize)
	message[0] = 1
	message[1] = 1
	message[2] = byte(len(packet.Hardware))
	binary.BigEndian.PutUint32(message[4:], packet.Transaction)
	binary.BigEndian.PutUint16(message[8:], packet.Seconds)
	if packet.Client == nil {
		message[10] = 0x80
	}
	copy(message[12:16], packet.Client.To4())
	copy(message[28:44], packet.Hardware)
	message = append(message, magicCookie...)
	for _, option := range []byte{optionType, optionClientID, optionAddress, optionServer, optionHostname, optionParameters} {
		if value, given := packet.Options[option]; given {
			message = append(message, option, byte(len(value)))
			message = append(message, value...)
		}
	}
	message = append(message, optionEnd)
	// BOOTP relays drop shorter messages.
	for len(message) < 300 {
		message = append(message, 0)
	}
	return message
}

// ParsePacket trusts no length in what came from the network.
func ParsePacket(message []byte) (Packet, error) {
	if len(message) < fixedSize+len(magicCookie) || !bytes.Equal(message[fixedSize:fixedSize+4], magicCookie) {
		return Packet{}, errors.New("not a message of DHCP")
	}
	length := int(message[2])
	if length > 16 {
		return Packet{}, errors.New("a hardware address of more than 16 bytes")
	}
	packet := Packet{
		Reply:       message[0] == 2,
		Transaction: binary.BigEndian.Uint32(message[4:]),
		Yours:       net.IP(append([]byte{}, message[16:20]...)),
		Hardware:    append(net.HardwareAddr{}, message[28:28+length]...),
		Options:     map[byte][]byte{},
	}
	rest := message[fixedSize+4:]
	for len(rest) > 0 && rest[0] != optionEnd {
		if rest[0] == 0 {
			rest = rest[1:]
			continue
		}
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return Packet{}, errors.New("an option that is cut off")
		}
		// A long option comes in several pieces (RFC 3396).
		packet.Options[rest[0]] = append(packet.Options[rest[0]], rest[2:2+int(rest[1])]...)
		rest = rest[2+int(rest[1]):]
	}
	return packet, nil
}

// Type is one of the message types, or 0.
func (packet Packet) Type() byte {
	if value := packet.Options[optionType]; len(value) == 1 {
		return value[0]
	}
	return 0
}

// Lease is what a server gave, checked.
type Lease struct {
	Address *net.IPNet
	Server  net.IP
	Routes  []Route
	DNS     []net.IP
	Search  []string
	MTU     int
	// Since the request was sent; the times below count from then.
	Since              time.Time
	Renew, Rebind, End time.Duration
}

const (
	shortestLease = 30 * time.Second
	longestLease  = 365 * 24 * time.Hour
)

// LeaseOf reads the answer to a request that was sent at a time.
func LeaseOf(packet Packet, since time.Time) (Lease, error) {
	options := packet.Options
	lease := Lease{Since: since, DNS: addressesIn(options[optionDNS])}
	if !packet.Yours.IsGlobalUnicast() && !packet.Yours.IsLinkLocalUnicast() {
		return lease, errors.New("the server gives no usable address")
	}
	servers := addressesIn(options[optionServer])
	if len(servers) != 1 {
		return lease, errors.New("the server does not name itself")
	}
	lease.Server = servers[0]
	mask := net.IPMask(options[optionMask])
	if len(mask) != net.IPv4len {
		mask = packet.Yours.DefaultMask()
	}
	if ones, bits := mask.Size(); bits == 0 || ones == 0 {
		return lease, errors.New("the server gives no usable mask")
	}
	lease.Address = &net.IPNet{IP: packet.Yours.To4(), Mask: mask}
	seconds := options[optionLease]
	if len(seconds) != 4 {
		return lease, errors.New("the server gives no time for the lease")
	}
	lease.End = clamp(duration(seconds), shortestLease, longestLease)
	lease.Renew, lease.Rebind = lease.End/2, lease.End*7/8
	if value := options[optionRebinding]; len(value) == 4 && duration(value) < lease.End {
		lease.Rebind = clamp(duration(value), time.Second, lease.End)
	}
	if value := options[optionRenewal]; len(value) == 4 && duration(value) < lease.Rebind {
		lease.Renew = clamp(duration(value), time.Second, lease.Rebind)
	}
	lease.Renew = clamp(lease.Renew, time.Second, lease.Rebind)
	if value := options[optionMTU]; len(value) == 2 && binary.BigEndian.Uint16(value) >= 576 {
		lease.MTU = int(binary.BigEndian.Uint16(value))
	}
	lease.Search = domainsIn(options[optionDomain])
	lease.Routes = routesIn(options[optionRoutes])
	if len(lease.Routes) == 0 {
		if routers := addressesIn(options[optionRouter]); len(routers) > 0 {
			lease.Routes = []Route{{Gateway: routers[0]}}
		}
	}
	return lease, nil
}

// domainsIn believes all of it or nothing: what is no domain was not meant for resolv.conf.
func domainsIn(value []byte) []string {
	domains := strings.Split(strings.TrimRight(string(value), "\x00"), " ")
	for _, domain := range domains {
		if !isDomain(domain) {
			return nil
		}
	}
	return domains
}

func duration(value []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint32(value)) * time.Second
}

func clamp(value, least, most time.Duration) time.Duration {
	if value < least {
		return least
	}
	if value > most {
		return most
	}
	return value
}

func addressesIn(value []byte) []net.IP {
	var list []net.IP
	for ; len(value) >= net.IPv4len; value = value[net.IPv4len:] {
		if ip := net.IP(append([]byte{}, value[:net.IPv4len]...)); !ip.IsUnspecified() && !ip.Equal(net.IPv4bcast) {
			list = append(list, ip)
		}
	}
	return list
}

// routesIn reads classless routes; where a server gives them its routers do not count (RFC 3442).
func routesIn(value []byte) []Route {
	var routes []Route
	for len(value) > 0 {
		ones := int(value[0])
		size := (ones + 7) / 8
		if ones > 32 || len(value) < 1+size+net.IPv4len {
			return routes
		}
		destination := make(net.IP, net.IPv4len)
		copy(destination, value[1:1+size])
		mask := net.CIDRMask(ones, 32)
		route := Route{Destination: &net.IPNet{IP: destination.Mask(mask), Mask: mask}}
		if gateway := net.IP(append([]byte{}, value[1+size:1+size+4]...)); !gateway.IsUnspecified() {
			route.Gateway = gateway
		}
		if ones == 0 {
			route.Destination = nil
		}
		routes = append(routes, route)
		value = value[1+size+net.IPv4len:]
	}
	return routes
}
