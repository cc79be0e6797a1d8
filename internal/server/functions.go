package server

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"gatehouse/internal/awsapi"
	"gatehouse/internal/awsapi/gen/lambda"
	"gatehouse/internal/awsapi/gen/s3"
	"gatehouse/internal/control/functions"
	"gatehouse/internal/control/identities"
	"gatehouse/internal/control/objects"
	"gatehouse/internal/invoke/remote"
	"gatehouse/internal/logstore"
	"gatehouse/internal/runtime"
)

// functionsFolder, in the data folder, has unpacked code of functions.
const functionsFolder = "functions"

// roleSession is how long a function's credentials last: longer than a process of it
// takes calls.
const roleSession = 3 * time.Hour

// functionGrace bounds how long calls under way may take after everything else has ended.
const functionGrace = 10 * time.Second

// openFunctions finds out how functions can be run and loads them. --dev runs them even
// where they cannot be contained; elsewhere that has to be configured.
func (s *Server) openFunctions(ctx context.Context) (err error) {
	o := runtime.Options{
		Uncontained: s.config.Functions.Sandbox == "none", Cgroup: s.config.Functions.Cgroup, Interpreters: s.config.Functions.Interpreters, Log: s.log,
		Sink: &functionLogs{events: s.events}, Endpoint: s.serveFunction, Dial: s.functionDialer().DialContext,
	}
	if s.runner, err = runtime.New(o); err != nil {
		return err
	}
	if s.config.Dev && s.runner.Contained() != nil {
		if err := s.runner.Close(ctx); err != nil {
			return err
		}
		o.Uncontained = true
		if s.runner, err = runtime.New(o); err != nil {
			return err
		}
	}
	s.services, s.outcomes = &awsServices{s: s}, s.outcomeClient()
	routes, err := functionRoutes(ctx, s.config.Functions.Routes)
	if err != nil {
		return err
	}
	s.remote = remote.New(routes, remote.Options{Control: s.egress()})
	data, err := filepath.Abs(s.config.Data) // sandboxes have another working folder
	if err != nil {
		return err
	}
	s.functions, err = functions.New(ctx, functions.Config{
		Store: s.store, Runner: s.runner, CodeDir: filepath.Join(data, functionsFolder), Log: s.log,
		ReadObject: s.readPackage, MayPass: s.mayPassToLambda, MayAlso: s.mayAlso, Credentials: s.functionCredentials, URL: s.functionURL,
		MayAs: s.functionMay, PutObject: s.putForFunction, Send: s.sendOutcome,
	})
	return err
}

// closeFunctions ends all processes of functions.
func (s *Server) closeFunctions() {
	if s.remote != nil {
		s.remote.Close()
	}
	if s.outcomes != nil {
		s.outcomes.CloseIdleConnections()
	}
	ctx, cancel := context.WithTimeout(context.Background(), functionGrace)
	defer cancel()
	if err := s.runner.Close(ctx); err != nil {
		s.log.Warn("functions were still running", "error", err)
	}
}

// functionService is the backend of Lambda.
type functionService struct {
	*functions.Functions
	lambda.Unimplemented
}

// readPackage reads a deployment package from Gatehouse's own S3 in the name of the caller.
func (s *Server) readPackage(ctx context.Context, bucket, key, version string, limit int64) ([]byte, error) {
	f, err := s.objects.Read(ctx, objects.Location{Bucket: bucket, Key: key, Version: version}, limit, objects.AsCaller(s.identities))
	return f.Body, err
}

func (s *Server) mayPassToLambda(ctx context.Context, role string) error {
	return s.identities.MayPass(ctx, awsapi.Access{Call: awsapi.CallFrom(ctx)}, role, lambdaService)
}

// functionCredentials assumes a function's role for it, and notes whose they are: from
// inside a function no other keys work.
func (s *Server) functionCredentials(_ context.Context, role, session string) (runtime.Credentials, error) {
	rs, err := s.identities.AssumeForService(role, session, lambdaService, nil, roleSession)
	if err != nil {
		return runtime.Credentials{}, err
	}
	s.functionKeys.add(rs.Key.ID, session, rs.Expires)
	return runtime.Credentials{AccessKeyID: rs.Key.ID, SecretAccessKey: rs.Key.Secret, SessionToken: rs.Token}, nil
}

// asFunctionRole is a call that Lambda makes in the name of a function's role.
func (s *Server) asFunctionRole(role, service string) (*awsapi.Call, error) {
	p, err := s.identities.ActAs(role, asyncSession, lambdaService, nil)
	if err != nil {
		return nil, err
	}
	return &awsapi.Call{
		Account: p.Account, Region: s.config.Region(), Service: service, Identity: identities.IdentityOf(&p), Received: time.Now(), TLS: true,
	}, nil
}

// functionMay reports whether a function's role may do an action.
func (s *Server) functionMay(ctx context.Context, role, service, action, resource string) error {
	call, err := s.asFunctionRole(role, service)
	if err != nil {
		return err
	}
	return s.identities.Authorize(ctx, awsapi.Access{Call: call, Action: action, Resource: resource})
}

// putForFunction writes an object in the name of a function's role.
func (s *Server) putForFunction(ctx context.Context, role, bucket, key string, body []byte) error {
	call, err := s.asFunctionRole(role, "s3")
	if err != nil {
		return err
	}
	if err := s.identities.Authorize(ctx, awsapi.Access{Call: call, Action: "s3:PutObject", Resource: "arn:aws:s3:::" + bucket + "/" + key}); err != nil {
		return err
	}
	length := int64(len(body))
	_, err = s.objects.PutObject(awsapi.WithCall(ctx, call), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: &length,
	})
	return err
}

// issuedKeys are the access keys that functions were given, by id.
type issuedKeys struct {
	mu   sync.Mutex
	keys map[string]issuedKey
}

type issuedKey struct {
	function string
	expires  time.Time
}

func (k *issuedKeys) add(id, function string, expires time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.keys == nil {
		k.keys = make(map[string]issuedKey)
	}
	now := time.Now()
	for old, issued := range k.keys {
		if now.After(issued.expires) {
			delete(k.keys, old)
		}
	}
	k.keys[id] = issuedKey{function, expires}
}

func (k *issuedKeys) belongs(id, function string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keys[id].function == function
}

// serveFunction answers AWS calls that a function makes on its own endpoint: those that
// are signed with its role's keys, and nothing else of the control port.
func (s *Server) serveFunction(fn *runtime.Function, l net.Listener) {
	h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.functionKeys.belongs(signingKey(r), fn.Name) {
			http.Error(w, "from inside a function only calls signed with its role's keys are answered", http.StatusForbidden)
			return
		}
		if _, _, _, byPath, byHost := s.invocation(r); byPath || byHost || strings.HasPrefix(r.URL.Path, opsPrefix) {
			http.Error(w, "this is not an AWS call", http.StatusForbidden)
			return
		}
		s.api.ServeHTTP(&liveWriter{ResponseWriter: w, s: s, r: r}, r)
	})
	srv := &http.Server{Handler: h, ReadHeaderTimeout: s.config.Limits.HeadTimeout, MaxHeaderBytes: 64 << 10, ErrorLog: s.controlHTTP.ErrorLog}
	srv.Serve(l) // it ends when the sandbox does
}

// signingKey is the id of the key that a call says it is signed with; the signature is
// judged later.
func signingKey(r *http.Request) string {
	credential := r.URL.Query().Get("X-Amz-Credential")
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		credential = after
	}
	id, _, _ := strings.Cut(credential, "/")
	return id
}

// functionLogs writes what functions write to their log groups.
type functionLogs struct {
	events *logstore.Store

	mu      sync.Mutex
	writers map[streamName]*logstore.Writer
}

type streamName struct {
	group  logstore.Group
	stream string
}

// writersKept bounds the streams that are kept open: every process has one of its own.
const writersKept = 4096

// Log implements runtime.Sink.
func (f *functionLogs) Log(l runtime.LogLine) {
	_, account, _ := strings.Cut(l.Function.ARN, ":lambda:"+l.Function.Region+":")
	account, _, _ = strings.Cut(account, ":")
	name := streamName{logstore.Group{Account: account, Region: l.Function.Region, Name: l.Group}, l.Stream}
	f.mu.Lock()
	w := f.writers[name]
	if w == nil {
		if f.writers == nil || len(f.writers) >= writersKept {
			f.writers = make(map[streamName]*logstore.Writer)
		}
		w = f.events.Writer(name.group, name.stream)
		f.writers[name] = w
	}
	f.mu.Unlock()
	w.Append(l.Time.UnixMilli(), []byte(l.Text))
}
