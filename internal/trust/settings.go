package trust

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
)

// The tags on a domain name that steer mutual TLS (reference mutual-tls.md B6).
const (
	TagClient    = "gatehouse:client-certificate"   // required (default) or optional
	TagFollow    = "gatehouse:truststore"           // fixed (default), stage or follow
	TagCandidate = "gatehouse:truststore-candidate" // s3://bucket/key, with ?versionId=V when fixed

	TagRevocation = "gatehouse:revocation"          // off, soft-fail or hard-fail
	TagCRL        = "gatehouse:crl"                 // s3://bucket/key, http:// or https://
	TagDeny       = "gatehouse:deny-list"           // the same
	TagAllow      = "gatehouse:allow-list"          // the same
	TagSettings   = "gatehouse:revocation-settings" // s3://bucket/key of a JSON document
)

// Settings say where revocation data of one domain comes from and how it is used. The
// zero value is off.
type Settings struct {
	// On is false when revocation is off, as in the service.
	On   bool
	off  bool // was said, not assumed
	Mode Mode
	// CRLs, Deny and Allow are places: "s3://bucket/key", with "?versionId=V" when fixed to
	// a version, or http(s) addresses. Deny and Allow may be "".
	CRLs        []string
	Deny, Allow string
	// Points follows the distribution points of certificates.
	Points bool
	// OCSP is the responder: "" for none, "aia" for the one that the certificate names, or an
	// http(s) address that is asked instead.
	OCSP string
	// Nonce sends one with OCSP requests.
	Nonce bool
	// LeafOnly leaves intermediate CAs out.
	LeafOnly        bool
	AcceptUncovered bool
	// Grace and MaxAge are those of Revocation.
	Grace, MaxAge time.Duration
	// Interval is the longest time between two fetches of a source. At least a minute.
	Interval time.Duration
}

// DefaultSettings are those of a domain whose tags switch revocation on and say no more.
func DefaultSettings() Settings {
	return Settings{On: true, Points: true, OCSP: "aia", MaxAge: 24 * time.Hour, Interval: time.Hour}
}

// Blank returns the settings as Revocation without data: what counts until data is
// there. With HardFail it refuses everybody.
func (s Settings) Blank() *Revocation {
	if !s.On {
		return nil
	}
	return &Revocation{Mode: s.Mode, LeafOnly: s.LeafOnly, Grace: s.Grace, MaxAge: s.MaxAge, AcceptUncovered: s.AcceptUncovered}
}

// ParseSettings reads the tags of a domain name; keys that are none of ours are passed over.
// document is the content of the object that TagSettings names, nil without that tag: its
// members come first, the tags override them. Errors name the tag or member at fault.
//
// Where neither the tag nor the document says a mode, the lists that are named act by
// themselves: in soft-fail mode, and nobody else is asked.
func ParseSettings(tags map[string]string, document []byte) (Settings, error) {
	s := DefaultSettings()
	s.On = false
	if _, ok := tags[TagSettings]; ok {
		if document == nil {
			return Settings{}, fmt.Errorf("tag %s: its object was not read", TagSettings)
		}
		if err := s.readDocument(document); err != nil {
			return Settings{}, fmt.Errorf("tag %s: %w", TagSettings, err)
		}
	}
	for _, t := range []struct {
		tag string
		set func(string)
	}{
		{TagCRL, func(v string) { s.CRLs = []string{v} }},
		{TagDeny, func(v string) { s.Deny = v }},
		{TagAllow, func(v string) { s.Allow = v }},
	} {
		if v, ok := tags[t.tag]; ok {
			if err := checkPlace(v); err != nil {
				return Settings{}, fmt.Errorf("tag %s: %w", t.tag, err)
			}
			t.set(v)
		}
	}
	v, named := tags[TagRevocation]
	if named {
		if err := s.setMode(v); err != nil {
			return Settings{}, fmt.Errorf("tag %s: %w", TagRevocation, err)
		}
	} else if !s.On && !s.off && (len(s.CRLs) > 0 || s.Deny != "" || s.Allow != "") {
		s.On, s.Points, s.OCSP = true, false, ""
	}
	if !s.On {
		return Settings{}, nil
	}
	return s, nil
}

// CheckTag says what is wanted instead of a tag's value; "" when it is good. It is what a
// management call checks that sets the tag.
func CheckTag(tag, value string) (want string) {
	switch tag {
	case TagRevocation:
		if new(Settings).setMode(value) != nil {
			return "off, soft-fail or hard-fail"
		}
	case TagSettings:
		if checkPlace(value) != nil || !strings.HasPrefix(value, "s3:") {
			return "s3://bucket/key"
		}
	case TagCandidate:
		if checkPlace(value) != nil || !strings.HasPrefix(value, "s3:") {
			return "s3://bucket/key or s3://bucket/key?versionId=V"
		}
	case TagClient:
		if value != "required" && value != "optional" {
			return "required or optional"
		}
	case TagFollow:
		if value != Fixed && value != Stage && value != Follow {
			return "fixed, stage or follow"
		}
	default:
		if checkPlace(value) != nil {
			return "s3://bucket/key, or an http:// or https:// address"
		}
	}
	return ""
}

// The values of TagFollow: what becomes of a new version of the trust store's object.
const (
	Fixed  = "fixed"  // nothing, as in the service
	Stage  = "stage"  // it becomes the candidate, judged beside the trust store for the log
	Follow = "follow" // it becomes the trust store
)

// SplitPlace parts an S3 place from the version it is fixed to, "" for the latest.
func SplitPlace(place string) (uri, version string) {
	uri, version, _ = strings.Cut(place, "?versionId=")
	return uri, version
}

func (s *Settings) setMode(v string) error {
	switch v {
	case "off":
		s.On, s.off = false, true
	case "soft-fail":
		s.On, s.Mode = true, SoftFail
	case "hard-fail":
		s.On, s.Mode = true, HardFail
	default:
		return fmt.Errorf("found %q, want off, soft-fail or hard-fail", v)
	}
	return nil
}

// checkPlace accepts what a source can be read from.
func checkPlace(v string) error {
	u, err := url.Parse(v)
	if err != nil {
		return fmt.Errorf("%q: %w", v, err)
	}
	switch {
	case u.Scheme == "s3" && u.Host != "" && len(u.Path) > 1:
		return nil
	case (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil:
		return nil
	}
	return fmt.Errorf("%q is no s3://bucket/key, http:// or https:// address", v)
}

// settingsDocument is the JSON form. Absent members have their default.
type settingsDocument struct {
	Mode               *string  `json:"mode"`               // as the tag gatehouse:revocation
	CRLs               []string `json:"crls"`               // at most 30, as the load balancer
	DenyList           string   `json:"denyList"`           // a place
	AllowList          string   `json:"allowList"`          // a place
	DistributionPoints *bool    `json:"distributionPoints"` // default true
	OCSP               *string  `json:"ocsp"`               // "off", "aia" (default) or an address
	Nonce              bool     `json:"nonce"`              // default false
	Scope              *string  `json:"scope"`              // "chain" (default) or "leaf"
	Uncovered          *string  `json:"uncovered"`          // "refuse" (default) or "accept", in hard-fail mode
	GraceSeconds       int      `json:"graceSeconds"`       // default 0, at most 30 days
	MaxAgeSeconds      *int     `json:"maxAgeSeconds"`      // default 86,400, at most 30 days
	IntervalSeconds    *int     `json:"intervalSeconds"`    // default 3,600; 60 to 86,400
}

const (
	maxCRLPlaces = 30
	month        = 30 * 24 * 3600
)

func (s *Settings) readDocument(data []byte) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var d settingsDocument
	if err := dec.Decode(&d); err != nil {
		return fmt.Errorf("JSON document: %w", err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("JSON document: found more than one value")
	}
	if d.Mode != nil {
		if err := s.setMode(*d.Mode); err != nil {
			return fmt.Errorf("mode: %w", err)
		}
	}
	if len(d.CRLs) > maxCRLPlaces {
		return fmt.Errorf("crls: found %d, want at most %d", len(d.CRLs), maxCRLPlaces)
	}
	for i, p := range d.CRLs {
		if err := checkPlace(p); err != nil {
			return fmt.Errorf("crls[%d]: %w", i, err)
		}
	}
	s.CRLs, s.Deny, s.Allow, s.Nonce = d.CRLs, d.DenyList, d.AllowList, d.Nonce
	for name, p := range map[string]string{"denyList": s.Deny, "allowList": s.Allow} {
		if p == "" {
			continue
		}
		if err := checkPlace(p); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	if d.DistributionPoints != nil {
		s.Points = *d.DistributionPoints
	}
	return s.readChoices(&d)
}

func (s *Settings) readChoices(d *settingsDocument) error {
	choose := func(name string, v *string, normal, other string) (bool, error) {
		switch {
		case v == nil || *v == normal:
			return false, nil
		case *v == other:
			return true, nil
		}
		return false, fmt.Errorf("%s: found %q, want %s or %s", name, *v, normal, other)
	}
	var err error
	if s.LeafOnly, err = choose("scope", d.Scope, "chain", "leaf"); err != nil {
		return err
	}
	if s.AcceptUncovered, err = choose("uncovered", d.Uncovered, "refuse", "accept"); err != nil {
		return err
	}
	if d.OCSP != nil {
		switch v := *d.OCSP; {
		case v == "off":
			s.OCSP = ""
		case v == "aia":
			s.OCSP = v
		case strings.HasPrefix(v, "http") && checkPlace(v) == nil:
			s.OCSP = v
		default:
			return fmt.Errorf("ocsp: found %q, want off, aia or an address", v)
		}
	}
	seconds := func(name string, v *int, into *time.Duration, low, high int) error {
		if v == nil {
			return nil
		}
		if *v < low || *v > high {
			return fmt.Errorf("%s: found %d, want %d to %d", name, *v, low, high)
		}
		*into = time.Duration(*v) * time.Second
		return nil
	}
	return errors.Join(
		seconds("graceSeconds", &d.GraceSeconds, &s.Grace, 0, month),
		seconds("maxAgeSeconds", d.MaxAgeSeconds, &s.MaxAge, 0, month),
		seconds("intervalSeconds", d.IntervalSeconds, &s.Interval, 60, 86_400),
	)
}
