package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Addresses of the parts, all on loopback.
const (
	backendAddr = "127.0.0.1:18100"
	sinkAddr    = "127.0.0.1:18109"
	nginxHTTP   = "127.0.0.1:18101"
	nginxHTTPS  = "127.0.0.1:18102"
	nginxMTLS   = "127.0.0.1:18103"
	frontHTTP   = "127.0.0.1:18111"
	frontHTTPS  = "127.0.0.1:18112"
	frontMTLS   = "127.0.0.1:18113"
)

// common is what both nginx configurations begin with.
const common = `
daemon off; worker_processes 1; pid DIR/NAME.pid; error_log DIR/NAME.err;
events { worker_connections 8192; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_max_body_size 20m; client_body_temp_path DIR/body; proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/x1; uwsgi_temp_path DIR/x2; scgi_temp_path DIR/x3;
`

const backendConf = common + `
  server {
    listen ` + backendAddr + ` backlog=4096;
    default_type application/json;
    location = /1k { return 200 "BODY"; }
    location / { root DIR/files; }
  }
}`

// proxyConf passes everything on over kept-alive connections, adds X-Forwarded-For as
// the front does, and streams both ways.
const proxyConf = common + `
  ssl_certificate DIR/server.pem; ssl_certificate_key DIR/server.key;
  ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache off; ssl_session_tickets on;
  upstream backend { server ` + backendAddr + `; keepalive 256; keepalive_requests 1000000000; }
  upstream sink { server ` + sinkAddr + `; keepalive 256; keepalive_requests 1000000000; }
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_request_buffering off; proxy_max_temp_file_size 0;
  server { listen ` + nginxHTTP + ` backlog=4096; location / { proxy_pass http://backend; }
    location = /sink { proxy_pass http://sink; } }
  server { listen ` + nginxHTTPS + ` ssl http2 backlog=4096; location / { proxy_pass http://backend; } }
  server { listen ` + nginxMTLS + ` ssl backlog=4096; ssl_client_certificate DIR/ca.pem; ssl_verify_client on;
    location / { proxy_pass http://backend; } }
}`

// writeNginx writes the configurations and the files to serve into dir.
func writeNginx(dir string) error {
	body := strings.Repeat(`{'id':12345,'name':'a name of some length','ok':true}`, 20)[:1024]
	for name, conf := range map[string]string{"backend": backendConf, "nginx": proxyConf} {
		conf = strings.NewReplacer("DIR", dir, "NAME", name, "BODY", body).Replace(conf)
		if err := os.WriteFile(filepath.Join(dir, name+".conf"), []byte(conf), 0o644); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "files"), 0o755); err != nil {
		return err
	}
	for name, size := range map[string]int{"100k": 100 << 10, "10m": 10 << 20} {
		if err := os.WriteFile(filepath.Join(dir, "files", name), make([]byte, size), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func nginxCommand(dir, name string) []string {
	return []string{"nginx", "-e", filepath.Join(dir, name+".err"), "-c", filepath.Join(dir, name+".conf"), "-g", fmt.Sprintf("lock_file %s;", filepath.Join(dir, name+".lock"))}
}
