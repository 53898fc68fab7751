// gonet configures the network of a small system: fixed addresses and DHCP, as files in /etc/gonet say.
package main

import (
	"flag"
	"fmt"
	"log/syslog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: gonet run [-resolv FILE] [-notify FD] [-wait TIME] [FOLDER]
       gonet check [FOLDER]
       gonet status

FOLDER is where the networks are described (default /etc/gonet); README.md tells how.
`

const networkFolder = "/etc/gonet"

func main() {
	if len(os.Args) < 2 {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	var err error
	switch os.Args[1] {
	case "run":
		err = run(os.Args[2:])
	case "check":
		err = check(os.Args[2:])
	case "status":
		err = status()
	default:
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "gonet: %v\n", err)
		os.Exit(1)
	}
}

func folderOf(words []string) (string, error) {
	switch len(words) {
	case 0:
		return networkFolder, nil
	case 1:
		return words[0], nil
	}
	return "", fmt.Errorf("one folder at most, not %s", strings.Join(words, " "))
}

func run(words []string) error {
	flags := flag.NewFlagSet("gonet run", flag.ExitOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	resolv := flags.String("resolv", "/etc/resolv.conf", "")
	notify := flags.Int("notify", 0, "")
	wait := flags.Duration("wait", 30*time.Second, "")
	// ExitOnError leaves nothing to return.
	_ = flags.Parse(words)
	folder, err := folderOf(flags.Args())
	if err != nil {
		return err
	}
	manager := &Manager{Resolver: &Resolver{Path: *resolv}, Log: logger()}
	ending := make(chan os.Signal, 1)
	signal.Notify(ending, syscall.SIGTERM, syscall.SIGINT)
	reloading := make(chan os.Signal, 1)
	signal.Notify(reloading, syscall.SIGHUP)
	changes := make(chan struct{}, 1)
	poke := func() {
		select {
		case changes <- struct{}{}:
		default:
		}
	}
	if err := WatchLinks(poke); err != nil {
		return err
	}
	defer manager.Close()
	manager.Load(folder)
	ready := make(chan struct{})
	go func() {
		manager.Await(*wait)
		close(ready)
	}()
	for {
		select {
		case <-ending:
			return nil
		case <-reloading:
			manager.Load(folder)
		case <-changes:
			manager.Look()
		case <-ready:
			ready = nil
			if *notify > 2 {
				_, _ = os.NewFile(uintptr(*notify), "notify").WriteString("\n")
			}
		}
	}
}

// logger writes to the system's log, or where there is none, to the console.
func logger() func(format string, args ...any) {
	if log, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_NOTICE, "gonet"); err == nil {
		return func(format string, args ...any) { fmt.Fprintf(log, format, args...) }
	}
	return func(format string, args ...any) { fmt.Fprintf(os.Stderr, "gonet: "+format+"\n", args...) }
}

// check reads the files as `gonet run` would and tells what is wrong with them.
func check(words []string) error {
	folder, err := folderOf(words)
	if err != nil {
		return err
	}
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is not a folder", folder)
	}
	networks, problems := LoadNetworks(folder)
	for _, problem := range problems {
		fmt.Fprintf(os.Stderr, "gonet: %v\n", problem)
	}
	if len(problems) > 0 {
		return fmt.Errorf("%d of the files in %s cannot be used", len(problems), filepath.Clean(folder))
	}
	fmt.Printf("%d networks\n", len(networks))
	return nil
}

// status shows what the kernel has.
func status() error {
	links, err := net.Interfaces()
	if err != nil {
		return err
	}
	for _, link := range links {
		state := "down"
		if link.Flags&net.FlagUp != 0 {
			state = "up"
		}
		words := []string{}
		held, err := link.Addrs()
		if err != nil {
			return err
		}
		for _, address := range held {
			words = append(words, address.String())
		}
		fmt.Printf("%-12s %-5s %-18s %s\n", link.Name, state, link.HardwareAddr, strings.Join(words, " "))
	}
	return nil
}
