package observe

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatehouse/internal/compile"
	"gatehouse/internal/gateway"
	"gatehouse/internal/http1/upstream"
	"gatehouse/internal/logstore"
	"gatehouse/internal/message"
	"gatehouse/internal/model"
	"gatehouse/internal/plan"
)

// constantBackend answers every request on a connection with the same bytes.
func constantBackend(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("x", 1024))
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					if _, err := http.ReadRequest(r); err != nil {
						return
					}
					if _, err := c.Write(answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

type nobody struct{}

func (nobody) WriteInformational(int, message.Header) error { return nil }
func (nobody) WriteHead(int, message.Header, int64) error   { return nil }
func (nobody) Write(p []byte) (int, error)                  { return len(p), nil }
func (nobody) Flush() error                                 { return nil }
func (nobody) WriteTrailer(message.Header) error            { return nil }
func (nobody) Abort()                                       {}
func (nobody) Done(*gateway.Record)                         {}

// BenchmarkLogsOfProxying is proxying 1 KB, the client's connection not included, with what
// its logs add: the difference is to stay below 3 % of what a request costs with its
// connection. It is the processor's time, that of writing in the background included; what the
// backend takes is in it too.
func BenchmarkLogsOfProxying(b *testing.B) {
	benchmarkLogs(b, func(b *testing.B) *model.Integration {
		return &model.Integration{Type: "HTTP_PROXY", HTTPMethod: "GET", URI: constantBackend(b), TimeoutInMillis: 29000}
	})
}

// BenchmarkLogs is the same for a method that answers by itself: what logs cost shows better
// where little else is done.
func BenchmarkLogs(b *testing.B) {
	benchmarkLogs(b, func(*testing.B) *model.Integration {
		return &model.Integration{Type: "MOCK", RequestTemplates: map[string]string{"application/json": `{"statusCode": 200}`},
			IntegrationResponses: map[string]*model.IntegrationResponse{"200": {StatusCode: "200"}}}
	})
}

func benchmarkLogs(b *testing.B, integration func(*testing.B) *model.Integration) {
	const format = `{ "requestId":"$context.requestId", "extendedRequestId":"$context.extendedRequestId","ip": "$context.identity.sourceIp", "caller":"$context.identity.caller", "user":"$context.identity.user", "requestTime":"$context.requestTime", "httpMethod":"$context.httpMethod", "resourcePath":"$context.resourcePath", "status":"$context.status", "protocol":"$context.protocol", "responseLength":"$context.responseLength" }`
	for _, c := range []struct {
		name, level string
		access      bool
	}{{"none", "OFF", false}, {"access", "OFF", true}, {"info", "INFO", false}} {
		b.Run(c.name, func(b *testing.B) {
			m := &model.Method{HTTPMethod: "GET", AuthorizationType: "NONE", Integration: integration(b),
				MethodResponses: map[string]*model.MethodResponse{"200": {StatusCode: "200"}}}
			st := model.Stage{StageName: "prod", DeploymentID: "d", MethodSettings: map[string]*model.MethodSetting{"*/*": {LoggingLevel: c.level}}}
			if c.access {
				st.AccessLogSettings = &model.AccessLogSettings{DestinationARN: "arn:aws:logs:us-east-1:000000000000:log-group:access", Format: format}
			}
			s, err := compile.Stage("000000000000", "us-east-1", st, model.Snapshot{API: model.RestAPI{ID: "api1"}, Resources: []model.Resource{{ID: "r", Path: "/x", Methods: map[string]*model.Method{"GET": m}}}}, compile.Limits{}, compile.Backends{})
			if err != nil {
				b.Fatal(err)
			}
			store, err := logstore.Open(logstore.Options{Dir: b.TempDir(), Delay: 2 * time.Millisecond}) // batches as large as those of a server at work
			if err != nil {
				b.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			var writing sync.WaitGroup
			writing.Go(func() {
				if err := store.Run(ctx); err != nil {
					b.Error(err)
				}
			})
			defer writing.Wait()
			defer stop()
			client := &upstream.Client{}
			defer client.CloseIdle()
			g := &gateway.Gateway{Upstream: client, Observer: nobody{}}
			if c.name != "none" {
				g.Observer = &Logs{Store: store}
			}
			builder := plan.NewBuilder(nil, "example.com")
			builder.SetStage(s)
			g.Publish(builder.Build(1))
			req := &message.Request{Method: "GET", Target: "/prod/x", Path: "/prod/x", Host: "api1.execute-api.us-east-1.example.com", Body: strings.NewReader(""), Received: time.Now(),
				Header: message.Header{{Name: "Host", Value: "h"}, {Name: "User-Agent", Value: "bench"}, {Name: "Accept", Value: "*/*"}}, Conn: &message.Conn{Remote: netip.MustParseAddrPort("192.0.2.1:1")}}
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				g.Serve(b.Context(), req, nobody{})
			}
			if err := store.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// processorTime is what this process has used, user and system.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
