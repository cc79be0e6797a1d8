package valkey_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/counter"
	"gatehouse/internal/counter/countertest"
	"gatehouse/internal/counter/valkey"
)

// certificate writes a self-signed certificate for 127.0.0.1 and its key to dir.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// openDir is a folder that the server's user can read.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gatehouse-tls-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func beat(t *testing.T, address string) error {
	t.Helper()
	s, err := valkey.New(address)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	ans, err := s.Exchange(ctx, counter.Batch{Node: "n"})
	if err == nil && ans.Nodes != 1 {
		t.Errorf("%d nodes after the first exchange, want 1", ans.Nodes)
	}
	return err
}

func TestTLS(t *testing.T) {
	t.Parallel()
	dir := openDir(t)
	cert, key := certificate(t, dir, "server")
	otherCert, otherKey := certificate(t, dir, "other")
	server := countertest.StartTLSServer(t, cert, key)
	if err := beat(t, "valkeys://"+server.Addr+"?ca="+cert+"&cert="+cert+"&key="+key); err != nil {
		t.Errorf("with the server's certificate and a client certificate: %v", err)
	}
	for name, address := range map[string]string{
		"a certificate that is not trusted": "valkeys://" + server.Addr + "?ca=" + otherCert + "&cert=" + cert + "&key=" + key,
		"no client certificate":             "rediss://" + server.Addr + "?ca=" + cert,
		"a foreign client certificate":      "rediss://" + server.Addr + "?ca=" + cert + "&cert=" + otherCert + "&key=" + otherKey,
		"no TLS":                            "redis://" + server.Addr,
	} {
		if err := beat(t, address); err == nil {
			t.Errorf("%s: the exchange succeeded", name)
		}
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	c := newCluster(t, "--requirepass", "right", "--user", "gate", "on", ">secret", "~gatehouse:*", "+@all")
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"redis://:right@" + c.server.Addr:                     true,
		"redis://gate:secret@" + c.server.Addr:                true,
		"redis://" + c.server.Addr + "?password_file=" + file: true,
		"redis://:wrong@" + c.server.Addr:                     false,
		"redis://" + c.server.Addr:                            false,
		"redis://gate:secret@" + c.server.Addr + "?prefix=x":  false, // keys that the user may not touch
	} {
		if err := beat(t, address); (err == nil) != want {
			t.Errorf("%s: %v, want success %v", address, err, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"valkey://h":                               "",
		"redis://u:p@h:1/3?prefix=gw":              "",
		"valkeys://h?master_set=m&addr=h2:26379":   "",
		"http://h":                                 "scheme",
		"redis://u:secret@h?nonsense=1":            `parameter "nonsense"`,
		"redis://u:secret@h?ca=/none":              "need TLS",
		"valkeys://u:secret@h?ca=/nonexistent":     "/nonexistent",
		"redis://u:secret@h?password_file=/absent": "/absent",
		"redis://u:secret@h/x":                     "database",
		"redis://u:secret@h:port":                  "not a URL",
	} {
		_, err := valkey.New(address)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", address, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: %v, want an error with %q", address, err, want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("%s: the error tells the password: %v", address, err)
		}
	}
}

func TestReplicaAndClusterAreRefused(t *testing.T) {
	t.Parallel()
	primary := newCluster(t)
	host, port, _ := net.SplitHostPort(primary.server.Addr)
	replica := newCluster(t, "--replicaof", host+" "+port)
	if err := beat(t, "redis://"+replica.server.Addr); err == nil || !strings.Contains(err.Error(), "replica") {
		t.Errorf("a replica: %v", err)
	}
	shard := newCluster(t, "--cluster-enabled", "yes")
	if err := beat(t, "redis://"+shard.server.Addr); err == nil || !strings.Contains(err.Error(), "cluster") {
		t.Errorf("a cluster's shard: %v", err)
	}
}
