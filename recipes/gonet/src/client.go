package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"net"
	"syscall"
	"time"
)

const (
	serverPort = 67
	clientPort = 68
)

// errRefused is a server's word that the address is not ours, or no longer.
var errRefused = errors.New("the server refused the address")

// Client asks for a lease on one interface and keeps it (RFC 2131).
type Client struct {
	Link     net.Interface
	Hostname string
	// Got is called with every lease, a renewed one too; Lost when the time of one is over.
	Got  func(Lease) error
	Lost func(Lease)
	Log  func(format string, args ...any)
}

// Run ends when the context does. The lease is not given back, so that a restart does not cut connections.
func (client *Client) Run(ctx context.Context) {
	for ctx.Err() == nil {
		lease, err := client.obtain(ctx)
		if err == nil {
			err = client.Got(lease)
		}
		if err != nil {
			if ctx.Err() == nil {
				client.Log("%s: %v", client.Link.Name, err)
				pause(ctx, 5*time.Second)
			}
			continue
		}
		client.keep(ctx, lease)
	}
}

// obtain asks until there is an answer, at first quickly and then once a minute.
func (client *Client) obtain(ctx context.Context) (Lease, error) {
	socket, err := client.listen(ctx, net.IPv4zero)
	if err != nil {
		return Lease{}, err
	}
	defer socket.Close()
	transaction := rand.Uint32()
	started := time.Now()
	everybody := &net.UDPAddr{IP: net.IPv4bcast, Port: serverPort}
	for wait := time.Second; ; wait = clamp(wait*2, time.Second, time.Minute) {
		discover := client.packet(dhcpDiscover, transaction, started)
		offer, _, err := client.exchange(ctx, socket, exchange{discover, everybody, wait, dhcpOffer})
		if err != nil {
			if ctx.Err() != nil || !isTimeout(err) {
				return Lease{}, err
			}
			continue
		}
		if len(offer.Options[optionServer]) != net.IPv4len {
			continue
		}
		request := client.packet(dhcpRequest, transaction, started)
		request.Options[optionAddress] = offer.Yours.To4()
		request.Options[optionServer] = offer.Options[optionServer]
		answer, since, err := client.exchange(ctx, socket, exchange{request, everybody, wait, dhcpAck})
		if err != nil {
			if ctx.Err() != nil || !isTimeout(err) {
				return Lease{}, err
			}
			continue
		}
		return LeaseOf(answer, since)
	}
}

// keep renews the lease with its server, then with any server, until it ends.
func (client *Client) keep(ctx context.Context, lease Lease) {
	for {
		if !pause(ctx, time.Until(lease.Since.Add(lease.Renew))) {
			return
		}
		renewed, err := client.renew(ctx, lease)
		if err == nil {
			err = client.Got(renewed)
		}
		if err == nil {
			if !renewed.Address.IP.Equal(lease.Address.IP) {
				client.Lost(lease)
			}
			lease = renewed
			continue
		}
		if ctx.Err() != nil {
			return
		}
		client.Log("%s: %v", client.Link.Name, err)
		client.Lost(lease)
		return
	}
}

// renew asks at each half of the time that is left, but not more than once a minute (RFC 2131, 4.4.5).
func (client *Client) renew(ctx context.Context, lease Lease) (Lease, error) {
	transaction := rand.Uint32()
	started := time.Now()
	rebind, end := lease.Since.Add(lease.Rebind), lease.Since.Add(lease.End)
	for time.Now().Before(end) {
		to, until := &net.UDPAddr{IP: lease.Server, Port: serverPort}, rebind
		if !time.Now().Before(rebind) {
			to, until = &net.UDPAddr{IP: net.IPv4bcast, Port: serverPort}, end
		}
		request := client.packet(dhcpRequest, transaction, started)
		request.Client = lease.Address.IP
		socket, err := client.listen(ctx, lease.Address.IP)
		if err != nil {
			return Lease{}, err
		}
		answer, since, err := client.exchange(ctx, socket, exchange{request, to, 4 * time.Second, dhcpAck})
		socket.Close()
		if err == nil {
			return LeaseOf(answer, since)
		}
		if ctx.Err() != nil || errors.Is(err, errRefused) {
			return Lease{}, err
		}
		left := clamp(time.Until(until)/2, 0, time.Until(end))
		pause(ctx, clamp(left, minimum(time.Minute, time.Until(until)), time.Until(end)))
		if ctx.Err() != nil {
			return Lease{}, ctx.Err()
		}
	}
	return Lease{}, errors.New("the lease ended, and no server renewed it")
}

func minimum(one, other time.Duration) time.Duration {
	if one < other {
		return one
	}
	return other
}

func (client *Client) packet(kind byte, transaction uint32, started time.Time) Packet {
	packet := Packet{
		Transaction: transaction,
		Seconds:     uint16(clamp(time.Since(started), 0, 65535*time.Second) / time.Second),
		Hardware:    client.Link.HardwareAddr,
		Options: map[byte][]byte{
			optionType:       {kind},
			optionClientID:   append([]byte{1}, client.Link.HardwareAddr...),
			optionParameters: wanted,
		},
	}
	if client.Hostname != "" {
		packet.Options[optionHostname] = []byte(client.Hostname)
	}
	return packet
}

type exchange struct {
	request Packet
	to      *net.UDPAddr
	wait    time.Duration
	expect  byte
}

// exchange sends a request and returns the answer to it, with the time when the request was sent.
func (client *Client) exchange(ctx context.Context, socket net.PacketConn, one exchange) (Packet, time.Time, error) {
	sent := time.Now()
	// Up to a tenth more, so that machines that start together do not ask together.
	deadline := sent.Add(one.wait + time.Duration(rand.Int63n(int64(one.wait)/10+1)))
	if err := socket.SetDeadline(deadline); err != nil {
		return Packet{}, sent, err
	}
	stop := make(chan struct{})
	defer close(stop)
	go func() {
		select {
		case <-ctx.Done():
			_ = socket.SetDeadline(time.Unix(1, 0))
		case <-stop:
		}
	}()
	if _, err := socket.WriteTo(one.request.Encode(), one.to); err != nil {
		return Packet{}, sent, fmt.Errorf("cannot ask for an address: %w", err)
	}
	buffer := make([]byte, 4096)
	for {
		size, _, err := socket.ReadFrom(buffer)
		if err != nil {
			return Packet{}, sent, err
		}
		answer, err := ParsePacket(buffer[:size])
		if err != nil || !answer.Reply || answer.Transaction != one.request.Transaction ||
			!bytes.Equal(answer.Hardware, client.Link.HardwareAddr) {
			continue
		}
		switch answer.Type() {
		case one.expect:
			return answer, sent, nil
		case dhcpNak:
			if one.expect == dhcpAck {
				return Packet{}, sent, errRefused
			}
		}
	}
}

// listen opens the client's port on this interface alone, which works before it has an address.
func (client *Client) listen(ctx context.Context, local net.IP) (net.PacketConn, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(descriptor uintptr) {
			socket := int(descriptor)
			failed = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
			if failed == nil {
				failed = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_BROADCAST, 1)
			}
			if failed == nil {
				failed = syscall.BindToDevice(socket, client.Link.Name)
			}
		})
		if err != nil {
			return err
		}
		return failed
	}}
	return config.ListenPacket(ctx, "udp4", (&net.UDPAddr{IP: local, Port: clientPort}).String())
}

func isTimeout(err error) bool {
	var timed net.Error
	return errors.As(err, &timed) && timed.Timeout()
}

// pause waits, and tells whether it did to the end.
func pause(ctx context.Context, span time.Duration) bool {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
