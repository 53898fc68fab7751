package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

// native is the byte order of this machine, in which rtnetlink(7) speaks.
var native = func() binary.ByteOrder {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}()

// linkGroup is RTMGRP_LINK of rtnetlink(7).
const linkGroup = 1

var sequence uint32

// attribute appends one attribute, padded to four bytes.
func attribute(message []byte, kind uint16, value []byte) []byte {
	head := make([]byte, syscall.SizeofRtAttr)
	native.PutUint16(head, uint16(len(head)+len(value)))
	native.PutUint16(head[2:], kind)
	message = append(append(message, head...), value...)
	for len(message)%syscall.RTA_ALIGNTO != 0 {
		message = append(message, 0)
	}
	return message
}

func number32(value uint32) []byte {
	bytes := make([]byte, 4)
	native.PutUint32(bytes, value)
	return bytes
}

// change sends one request to the kernel and waits for its word on it.
func change(kind, flags uint16, body []byte) error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer syscall.Close(socket)
	number := atomic.AddUint32(&sequence, 1)
	message := make([]byte, syscall.SizeofNlMsghdr, syscall.SizeofNlMsghdr+len(body))
	native.PutUint32(message, uint32(syscall.SizeofNlMsghdr+len(body)))
	native.PutUint16(message[4:], kind)
	native.PutUint16(message[6:], flags|syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	native.PutUint32(message[8:], number)
	message = append(message, body...)
	if err := syscall.Sendto(socket, message, 0, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}); err != nil {
		return os.NewSyscallError("sendto", err)
	}
	answer := make([]byte, 4096)
	for {
		size, _, err := syscall.Recvfrom(socket, answer, 0)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return os.NewSyscallError("recvfrom", err)
		}
		replies, err := syscall.ParseNetlinkMessage(answer[:size])
		if err != nil {
			return err
		}
		for _, reply := range replies {
			if reply.Header.Seq != number || reply.Header.Type != syscall.NLMSG_ERROR || len(reply.Data) < 4 {
				continue
			}
			if code := int32(native.Uint32(reply.Data)); code != 0 {
				return syscall.Errno(-code)
			}
			return nil
		}
	}
}

// SetUp takes an interface up, with another size of packets where mtu is not 0.
func SetUp(index, mtu int) error {
	body := make([]byte, syscall.SizeofIfInfomsg)
	native.PutUint32(body[4:], uint32(index))
	native.PutUint32(body[8:], syscall.IFF_UP)
	native.PutUint32(body[12:], syscall.IFF_UP)
	if mtu > 0 {
		body = attribute(body, syscall.IFLA_MTU, number32(uint32(mtu)))
	}
	return change(syscall.RTM_NEWLINK, 0, body)
}

// addressBody is a struct ifaddrmsg with its attributes.
func addressBody(index int, address *net.IPNet) []byte {
	ones, _ := address.Mask.Size()
	body := make([]byte, syscall.SizeofIfAddrmsg)
	body[0] = family(address.IP)
	body[1] = byte(ones)
	native.PutUint32(body[4:], uint32(index))
	body = attribute(body, syscall.IFA_LOCAL, address.IP)
	return attribute(body, syscall.IFA_ADDRESS, address.IP)
}

// AddAddress gives an interface an address; one that is there already is no error. The kernel itself takes it away
// when its lifetime is over, should nobody prolong it; 0 is for ever.
func AddAddress(index int, address *net.IPNet, lifetime time.Duration) error {
	body := addressBody(index, address)
	if seconds := uint32(lifetime / time.Second); seconds > 0 {
		// struct ifa_cacheinfo: preferred and valid lifetime, and two times of the kernel's own.
		times := append(append(number32(seconds), number32(seconds)...), make([]byte, 8)...)
		body = attribute(body, syscall.IFA_CACHEINFO, times)
	}
	if broadcast := broadcastOf(address); broadcast != nil {
		body = attribute(body, syscall.IFA_BROADCAST, broadcast)
	}
	return change(syscall.RTM_NEWADDR, syscall.NLM_F_CREATE|syscall.NLM_F_REPLACE, body)
}

// RemoveAddress also removes the routes that go through the address; one that is not there is no error.
func RemoveAddress(index int, address *net.IPNet) error {
	err := change(syscall.RTM_DELADDR, 0, addressBody(index, address))
	if err == syscall.EADDRNOTAVAIL || err == syscall.ENODEV {
		return nil
	}
	return err
}

// Route leads to Destination (nil: everywhere) through Gateway (nil: directly).
type Route struct {
	Destination *net.IPNet
	Gateway     net.IP
	Metric      int
}

// AddRoute replaces a route to the same destination with the same metric.
func AddRoute(index int, route Route) error {
	body := make([]byte, syscall.SizeofRtMsg)
	body[4] = syscall.RT_TABLE_MAIN
	body[5] = syscall.RTPROT_STATIC
	body[6] = syscall.RT_SCOPE_UNIVERSE
	body[7] = syscall.RTN_UNICAST
	switch {
	case route.Gateway != nil:
		body[0] = family(route.Gateway)
	case route.Destination != nil:
		body[0] = family(route.Destination.IP)
		body[6] = syscall.RT_SCOPE_LINK
	}
	if route.Destination != nil {
		ones, _ := route.Destination.Mask.Size()
		body[1] = byte(ones)
		body = attribute(body, syscall.RTA_DST, route.Destination.IP)
	}
	if route.Gateway != nil {
		body = attribute(body, syscall.RTA_GATEWAY, route.Gateway)
	}
	body = attribute(body, syscall.RTA_OIF, number32(uint32(index)))
	body = attribute(body, syscall.RTA_PRIORITY, number32(uint32(route.Metric)))
	return change(syscall.RTM_NEWROUTE, syscall.NLM_F_CREATE|syscall.NLM_F_REPLACE, body)
}

func family(ip net.IP) byte {
	if len(ip) == net.IPv4len {
		return syscall.AF_INET
	}
	return syscall.AF_INET6
}

func broadcastOf(address *net.IPNet) net.IP {
	if len(address.IP) != net.IPv4len || isHost(address) {
		return nil
	}
	broadcast := make(net.IP, net.IPv4len)
	for at := range broadcast {
		broadcast[at] = address.IP[at] | ^address.Mask[at]
	}
	return broadcast
}

// WatchLinks calls changed whenever an interface comes, goes, or gets or loses its cable.
func WatchLinks(changed func()) error {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	address := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK, Groups: linkGroup}
	if err := syscall.Bind(socket, address); err != nil {
		syscall.Close(socket)
		return fmt.Errorf("cannot watch the interfaces: %w", err)
	}
	go func() {
		buffer := make([]byte, 65536)
		for {
			_, _, err := syscall.Recvfrom(socket, buffer, 0)
			// ENOBUFS: more happened than fitted; what there is now is looked at anew anyway.
			if err != nil && err != syscall.EINTR && err != syscall.ENOBUFS {
				return
			}
			changed()
		}
	}()
	return nil
}
