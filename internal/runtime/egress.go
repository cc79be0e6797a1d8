package runtime

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"
)

// proxyAddress is where a sandbox finds its way out.
const proxyAddress = "127.0.0.1:9003"

// dialer connects a function to the world, or refuses to.
type dialer func(ctx context.Context, network, address string) (net.Conn, error)

// newProxy returns the proxy of one sandbox: plain HTTP by absolute URIs, everything else
// by CONNECT (RFC 9110, sections 7.6 and 9.3.6). dial has the last word on each connection.
func newProxy(dial dialer) *http.Server {
	forward := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.Out.Host = r.In.Host },
		Transport:    &http.Transport{DialContext: dial, DisableCompression: true, IdleConnTimeout: 30 * time.Second, MaxIdleConns: 10},
		ErrorLog:     slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) { refuse(w, err) },
	}
	return &http.Server{
		ReadHeaderTimeout: 30 * time.Second,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodConnect:
				tunnel(w, r, dial)
			case r.URL.Scheme != "http" || r.URL.Host == "":
				http.Error(w, "this is a proxy: want an absolute http URI, or CONNECT", http.StatusBadRequest)
			default:
				forward.ServeHTTP(w, r)
			}
		}),
	}
}

func refuse(w http.ResponseWriter, err error) {
	http.Error(w, "no connection: "+err.Error(), http.StatusBadGateway)
}

// tunnel connects the two sides and passes bytes on until both are done.
func tunnel(w http.ResponseWriter, r *http.Request, dial dialer) {
	out, err := dial(r.Context(), "tcp", r.Host)
	if err != nil {
		refuse(w, err)
		return
	}
	defer out.Close()
	in, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, err)
		return
	}
	defer in.Close()
	if _, err := io.WriteString(in, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(out, buffered) // what came with the request, then the connection itself
		closeWrite(out)
	})
	both.Go(func() {
		io.Copy(in, out)
		closeWrite(in)
	})
	both.Wait()
}

// closeWrite ends one direction of a connection.
func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
		return
	}
	c.Close()
}
