package trust

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/internal/trust/crl"
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
// with the reason. All of them are refused where the suite accepts.
var pkitsExceptions = map[string]string{
	"40104_valid_dsa_signatures_test4":            "DSA is no accepted algorithm",
	"40105_valid_dsa_parameter_inheritance_test5": "DSA is no accepted algorithm",
	"41404_valid_distributionpoint_test4":         "crypto/x509 does not parse a distribution point named relative to its issuer",
	"41405_valid_distributionpoint_test5":         "crypto/x509 does not parse a distribution point named relative to its issuer",
	"41422_valid_idp_with_indirectcrl_test22":     "indirect CRLs are not used",
	"41424_valid_idp_with_indirectcrl_test24":     "indirect CRLs are not used",
	"41425_valid_idp_with_indirectcrl_test25":     "indirect CRLs are not used",
	"41428_valid_crlissuer_test28":                "indirect CRLs are not used",
	"41429_valid_crlissuer_test29":                "indirect CRLs are not used",
	"41430_valid_crlissuer_test30":                "indirect CRLs are not used",
	"41433_valid_crlissuer_test33":                "indirect CRLs are not used",
}

// TestPKITS decides every case as a client certificate on a domain with revocation in
// hard-fail mode. The suite knows no purpose, which the certificates do not restrict.
func TestPKITS(t *testing.T) {
	for _, c := range pkitsCases(t) {
		t.Run(c.ID, func(t *testing.T) {
			refusal := pkitsDecide(t, c)
			reason, exception := pkitsExceptions[c.ID]
			switch {
			case exception && refusal == nil:
				t.Errorf("accepted, but listed as refused because %s", reason)
			case !exception && (refusal == nil) != c.Valid:
				t.Errorf("valid: %v; refused: %v", c.Valid, refusal)
			}
		})
	}
}

func pkitsDecide(t *testing.T, c pkitsCase) *Refusal {
	t.Helper()
	leaf, err := x509.ParseCertificate(pkitsFile(t, "certs", c.Leaf))
	if err != nil {
		return &Refusal{Reason: Malformed, Detail: err.Error()}
	}
	b := pkitsBundle(t, c.Intermediates...)
	var lists []*crl.List
	for _, name := range c.CRLs {
		l, err := crl.Parse(pkitsFile(t, "crls", name))
		if err != nil {
			t.Logf("%s: %v", name, err)
			continue
		}
		lists = append(lists, l)
	}
	crls, problems := NewCRLs(b, lists)
	for _, p := range problems {
		t.Logf("%v: %s", p.List.Issuer, p.Reason)
	}
	store := NewStore(&Snapshot{Bundle: b, Revocation: &Revocation{Mode: HardFail, CRLs: crls}})
	return NewSession([]*x509.Certificate{leaf}).Judge(context.Background(), store, pkitsTime).Refusal
}
