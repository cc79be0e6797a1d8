package main

import (
	"context"
	"flag"
	"io"
	"net"

	"gatehouse/internal/edge"
	"gatehouse/internal/http1"
	"gatehouse/internal/message"
)

// sink runs a backend that reads bodies to their end before it answers, which nginx by
// itself does not.
func sink(args []string) error {
	fs := flag.NewFlagSet("sink", flag.ExitOnError)
	addr := fs.String("addr", sinkAddr, "address to serve on")
	fs.Parse(args)
	ln, err := net.Listen("tcp", *addr)
	if err != nil {
		return err
	}
	l := &edge.Listener{Kind: message.PlainListener, HTTP1: &http1.Server{Handler: drain{}}}
	return l.Serve(context.Background(), ln)
}

type drain struct{}

// Serve implements message.Handler.
func (drain) Serve(_ context.Context, req *message.Request, w message.Writer) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := req.Body.Read(buf); err == io.EOF {
			break
		} else if err != nil {
			w.Abort()
			return
		}
	}
	w.WriteHead(200, nil, 2)
	io.WriteString(w, "ok")
}
