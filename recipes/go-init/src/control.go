package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const controlSocket = "/run/go-init/control"

// Serve answers requests, one a connection: a line of words, then text and a last line `ok` or `error: …`.
// Only the owner of the socket, root, may connect.
func Serve(listener net.Listener, handle func(words []string) (string, error)) {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return
		}
		go answer(connection, handle)
	}
}

func answer(connection net.Conn, handle func([]string) (string, error)) {
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(io.LimitReader(connection, 4096)).ReadString('\n')
	words := strings.Fields(line)
	if err != nil || len(words) == 0 {
		return
	}
	text, err := handle(words)
	if err != nil {
		fmt.Fprintf(connection, "error: %v\n", err)
		return
	}
	fmt.Fprintf(connection, "%sok\n", text)
}

// Listen makes the socket, in place of one that an earlier process left.
func Listen(path string) (net.Listener, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	_ = os.Remove(path)
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return listener, os.Chmod(path, 0o600)
}

// Ask sends a request and returns the text of the answer.
func Ask(path string, words []string) (string, error) {
	for _, word := range words {
		if word == "" || strings.ContainsAny(word, " \t\r\n") {
			return "", fmt.Errorf("%q is no word of a request", word)
		}
	}
	connection, err := net.Dial("unix", path)
	if err != nil {
		return "", fmt.Errorf("cannot reach go-init at %s: is it running, and are you root? (%w)", path, err)
	}
	defer connection.Close()
	if _, err := fmt.Fprintln(connection, strings.Join(words, " ")); err != nil {
		return "", err
	}
	reply, err := io.ReadAll(connection)
	if err != nil {
		return "", err
	}
	text := strings.TrimSuffix(string(reply), "\n")
	body, last := "", text
	if at := strings.LastIndexByte(text, '\n'); at >= 0 {
		body, last = text[:at+1], text[at+1:]
	}
	if problem := strings.TrimPrefix(last, "error: "); problem != last {
		return body, fmt.Errorf("%s", problem)
	}
	if last != "ok" {
		return "", fmt.Errorf("go-init gave no answer")
	}
	return body, nil
}
