package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// A plan is the part of Gatehouse's answers that the story tells.
type plan struct {
	Stay      int `json:"stay"`
	LockedOut []struct {
		Subject string `json:"subject"`
		Reason  string `json:"reason"`
	} `json:"lockedOut"`
	Removed []struct {
		Subject string `json:"subject"`
	} `json:"removed"`
}

type state struct {
	Candidate *struct {
		Refused int  `json:"refused"`
		Plan    plan `json:"plan"`
	} `json:"candidate"`
}

// rollOut takes an authority out in the careful way: plan, stage, enforce, roll back. The command
// gatehouse truststore does the same.
func (s *story) rollOut(ctx context.Context) error {
	stays, err := s.client("stays", s.partners)
	if err != nil {
		return err
	}
	leaves, err := s.client("leaves", s.retired)
	if err != nil {
		return err
	}
	both := func(when, wantStays, wantLeaves string) error {
		if err := s.until(ctx, stays, wantStays); err != nil {
			return fmt.Errorf("%s: the partner: %w", when, err)
		}
		if err := s.until(ctx, leaves, wantLeaves); err != nil {
			return fmt.Errorf("%s: the retired client: %w", when, err)
		}
		s.say("6. %s: partner %s, retired %s", when, wantStays, wantLeaves)
		return nil
	}
	if err := both("before", "200", "200"); err != nil {
		return err
	}
	place := "s3://" + s.bucket + "/next.pem"
	if err := s.put(ctx, "next.pem", []byte(s.partners.pem())); err != nil {
		return err
	}
	var p plan
	if err := s.ask(ctx, http.MethodGet, url.Values{"uri": {place}}, &p); err != nil {
		return err
	}
	s.say("6. the plan: %s goes, %d clients stay, %d would be locked out", p.Removed[0].Subject, p.Stay, len(p.LockedOut))

	if err := s.tag(ctx, map[string]string{"gatehouse:truststore-candidate": place}); err != nil {
		return err
	}
	if err := both("staged: judged beside the trust store, deciding nothing", "200", "200"); err != nil {
		return err
	}
	var now state
	if err := s.ask(ctx, http.MethodGet, nil, &now); err != nil {
		return err
	}
	if now.Candidate == nil || now.Candidate.Refused == 0 {
		return fmt.Errorf("the candidate refused nobody: %+v", now)
	}
	s.say("6. the candidate would have refused %d connections so far", now.Candidate.Refused)
	if err := s.ask(ctx, http.MethodPost, url.Values{"action": {"enforce"}}, &now); err != nil {
		return err
	}
	if err := both("enforced, on the connections that are open", "200", "403"); err != nil {
		return err
	}
	if err := s.ask(ctx, http.MethodPost, url.Values{"action": {"rollback"}}, &now); err != nil {
		return err
	}
	if err := both("rolled back", "200", "200"); err != nil {
		return err
	}

	stranger, err := newAuthority("Stranger CA")
	if err != nil {
		return err
	}
	if err := s.put(ctx, "none.pem", []byte(stranger.pem())); err != nil {
		return err
	}
	err = s.ask(ctx, http.MethodPost, url.Values{"action": {"apply"}, "uri": {"s3://" + s.bucket + "/none.pem"}}, &now)
	if err == nil {
		return fmt.Errorf("a trust store that locks out everybody was put in force")
	}
	s.say("6. a trust store that would lock out everybody: %v", err)
	return nil
}

// ask calls Gatehouse's operation on trust stores, signed as AWS calls are.
func (s *story) ask(ctx context.Context, method string, q url.Values, into any) error {
	if q == nil {
		q = url.Values{}
	}
	q.Set("domain", s.name)
	req, err := http.NewRequestWithContext(ctx, method, os.Getenv("AWS_ENDPOINT_URL")+"/_gatehouse/truststore?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	creds, err := s.config.Credentials.Retrieve(ctx)
	if err != nil {
		return err
	}
	empty := sha256.Sum256(nil)
	if err := v4.NewSigner().SignHTTP(ctx, creds, req, hex.EncodeToString(empty[:]), "gatehouse", s.config.Region, time.Now()); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %.200s", resp.StatusCode, body)
	}
	return json.Unmarshal(body, into)
}
