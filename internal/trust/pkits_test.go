package trust

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pkitsTime lies within the validity of the suite's certificates (2010 to 2030).
var pkitsTime = time.Date(2020, 6, 1, 12, 0, 0, 0, time.UTC)

type pkitsCase struct {
	ID                 string   `json:"id"`
	Leaf               string   `json:"leaf"`
	Intermediates      []string `json:"intermediates"`
	CRLs               []string `json:"crls"`
	RevocationRequired bool     `json:"revocation_required"`
	Valid              bool     `json:"valid"`
}

func pkitsCases(t *testing.T) []pkitsCase {
	t.Helper()
	data, err := os.ReadFile("testdata/pkits/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []pkitsCase }
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Cases) == 0 {
		t.Fatal("cases.json holds no cases")
	}
	return file.Cases
}

func pkitsFile(t *testing.T, kind, name string) []byte {
	t.Helper()
	der, err := os.ReadFile(filepath.Join("testdata/pkits", kind, name))
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// pkitsBundle makes a trust store of the suite's root and the named certificates.
func pkitsBundle(t *testing.T, names ...string) *Bundle {
	t.Helper()
	var buf bytes.Buffer
	for _, name := range append([]string{"TrustAnchorRootCertificate.crt"}, names...) {
		if err := pem.Encode(&buf, &pem.Block{Type: "CERTIFICATE", Bytes: pkitsFile(t, "certs", name)}); err != nil {
			t.Fatal(err)
		}
	}
	b, err := ParseBundle(buf.Bytes(), pkitsTime, Options{MaxCAs: -1})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPKITSNameConstraints decides section 4.13 of the suite, which cases.json lacks: the
// name of each file says what is expected, and all CAs of the section form one trust store.
func TestPKITSNameConstraints(t *testing.T) {
	cas, err := filepath.Glob("testdata/pkits/certs/nameConstraints*.crt")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, p := range cas {
		names = append(names, filepath.Base(p))
	}
	b := pkitsBundle(t, names...)
	leaves, err := filepath.Glob("testdata/pkits/certs/*nameConstraintsTest*EE.crt")
	if err != nil {
		t.Fatal(err)
	}
	lower, err := filepath.Glob("testdata/pkits/certs/*NameConstraintsTest*EE.crt")
	if err != nil {
		t.Fatal(err)
	}
	leaves = append(leaves, lower...)
	if len(leaves) < 38 {
		t.Fatalf("found %d certificates of section 4.13, want 38", len(leaves))
	}
	for _, p := range leaves {
		name := filepath.Base(p)
		t.Run(name, func(t *testing.T) {
			leaf, err := x509.ParseCertificate(pkitsFile(t, "certs", name))
			if err != nil {
				t.Fatal(err)
			}
			_, err = b.Verify(leaf, pkitsTime)
			if want := strings.HasPrefix(name, "Valid"); (err == nil) != want {
				t.Errorf("valid: got %v, want %v", err, want)
			}
		})
	}
}

// pkitsExceptions are the cases that are decided otherwise than the suite expects,
// with the reason.
var pkitsExceptions = map[string]string{
	"40104_valid_dsa_signatures_test4":            "DSA is no accepted algorithm",
	"40105_valid_dsa_parameter_inheritance_test5": "DSA is no accepted algorithm",
	"41404_valid_distributionpoint_test4":         "crypto/x509 does not parse a distribution point named relative to its issuer",
	"41405_valid_distributionpoint_test5":         "crypto/x509 does not parse a distribution point named relative to its issuer",
	"41429_valid_crlissuer_test29":                "crypto/x509 does not parse a distribution point named relative to its issuer",
}

// TestPKITSPaths decides the paths of all cases without their CRLs: every case that
// is valid must have a path, and what needs no CRL to be invalid must have none.
func TestPKITSPaths(t *testing.T) {
	for _, c := range pkitsCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			leaf, err := x509.ParseCertificate(pkitsFile(t, "certs", c.Leaf))
			if err == nil {
				_, err = pkitsBundle(t, c.Intermediates...).Verify(leaf, pkitsTime)
			}
			reason, exception := pkitsExceptions[c.ID]
			switch {
			case exception && err == nil:
				t.Errorf("accepted, but listed as refused because %s", reason)
			case c.Valid && !exception && err != nil:
				t.Errorf("got %v, want a path", err)
			case !c.Valid && err == nil && !pkitsNeedsCRL(c.ID):
				t.Error("got a path, want none")
			}
		})
	}
}

// pkitsNeedsCRL reports whether a case may be invalid by its CRLs alone: the sections on
// revocation, and the cases elsewhere that test keys of CRL issuers.
func pkitsNeedsCRL(id string) bool {
	for _, p := range []string{"404", "405", "40704", "40705", "414", "415"} {
		if strings.HasPrefix(id, p) {
			return true
		}
	}
	return false
}
