package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
)

// measureControl runs "bench control": what management calls cost on an empty store and on one
// with many APIs, what an import of the largest document costs, and what memory it all takes.
func measureControl(args []string) error {
	fs := flag.NewFlagSet("bench control", flag.ExitOnError)
	bin := fs.String("gatehouse", "bin/gatehouse", "the binary to measure")
	apis := fs.Int("apis", 1000, "APIs in the full store")
	methods := fs.Int("methods", 100, "methods of each")
	rounds := fs.Int("rounds", 40, "calls of each kind")
	data := fs.String("data", "", "keep the store in this folder; a temporary one by default")
	fs.Parse(args)
	dir := *data
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "gatehouse-bench"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	p, err := launch("gatehouse", "0-1", controlAddr, *bin, "serve", "--dev", "--data", dir, "--control", controlAddr, "--http", frontHTTP, "--https", frontHTTPS)
	if err != nil {
		return err
	}
	defer p.stop()
	c, ctx := client(), context.Background()
	doc := manyMethods(*methods)
	if err := importDocument(ctx, c, doc); err != nil {
		return err
	}
	empty, err := timeCalls(ctx, c, *rounds)
	if err != nil {
		return err
	}
	began := time.Now()
	for i := 1; i < *apis; i++ {
		if err := importDocument(ctx, c, doc); err != nil {
			return err
		}
	}
	fmt.Printf("%d APIs of %d methods imported in %v, %v each; memory %d MB\n", *apis, *methods, time.Since(began).Round(time.Millisecond),
		(time.Since(began) / time.Duration(max(1, *apis-1))).Round(100*time.Microsecond), p.megabytes("VmRSS"))
	full, err := timeCalls(ctx, c, *rounds)
	if err != nil {
		return err
	}
	for _, k := range kinds {
		fmt.Printf("%-8s empty %8v  full %8v  ratio %.2f\n", k.name, empty[k.name].Round(10*time.Microsecond), full[k.name].Round(10*time.Microsecond), float64(full[k.name])/float64(empty[k.name]))
	}
	return largest(ctx, c, p)
}

// kinds are the calls that are timed. Each is made many times, and its median counts.
var kinds = []struct {
	name string
	call func(ctx context.Context, c *apigateway.Client, api *string) error
}{
	{"list", func(ctx context.Context, c *apigateway.Client, _ *string) error {
		_, err := c.GetRestApis(ctx, &apigateway.GetRestApisInput{Limit: aws.Int32(25)})
		return err
	}},
	{"get", func(ctx context.Context, c *apigateway.Client, api *string) error {
		_, err := c.GetRestApi(ctx, &apigateway.GetRestApiInput{RestApiId: api})
		return err
	}},
	{"create", func(ctx context.Context, c *apigateway.Client, _ *string) error {
		_, err := c.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("new")})
		return err
	}},
}

// timeCalls returns the median time of each kind of call. The list is timed with pages that are
// equally full: it runs after creates.
func timeCalls(ctx context.Context, c *apigateway.Client, rounds int) (map[string]time.Duration, error) {
	api, err := c.CreateRestApi(ctx, &apigateway.CreateRestApiInput{Name: aws.String("one")})
	if err != nil {
		return nil, err
	}
	medians := map[string]time.Duration{}
	for _, i := range []int{2, 1, 0} {
		times := make([]time.Duration, rounds)
		for n := range times {
			began := time.Now()
			if err := kinds[i].call(ctx, c, api.Id); err != nil {
				return nil, err
			}
			times[n] = time.Since(began)
		}
		slices.Sort(times)
		medians[kinds[i].name] = times[rounds/2]
	}
	return medians, nil
}

func importDocument(ctx context.Context, c *apigateway.Client, doc []byte) error {
	_, err := c.ImportRestApi(ctx, &apigateway.ImportRestApiInput{Body: doc})
	return err
}

// manyMethods is a document with so many methods, as generators write them.
func manyMethods(methods int) []byte {
	var b bytes.Buffer
	b.WriteString("{\"openapi\":\"3.0.1\",\"info\":{\"title\":\"many\",\"version\":\"1\"},\"paths\":{")
	for i := range methods {
		if i > 0 {
			b.WriteByte(',')
		}
		writePath(&b, i)
	}
	b.WriteString("},\"components\":{\"schemas\":{\"Item\":{\"type\":\"object\",\"required\":[\"id\"],\"properties\":{\"id\":{\"type\":\"string\"},\"parent\":{\"$ref\":\"#/components/schemas/Item\"}}}}}}")
	return b.Bytes()
}

func writePath(b *bytes.Buffer, i int) {
	fmt.Fprintf(b, `"/items%d/{id}":{"post":{"operationId":"op%d","parameters":[{"name":"id","in":"path","required":true,"schema":{"type":"string"}},{"name":"q","in":"query","schema":{"type":"string"}}],`+
		`"requestBody":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Item"}}}},"responses":{"200":{"description":"ok","headers":{"X-A":{"schema":{"type":"string"}}},"content":{"application/json":{"schema":{"$ref":"#/components/schemas/Item"}}}}},`+
		`"x-amazon-apigateway-integration":{"type":"http","httpMethod":"POST","uri":"https://backend.example.com/items%d/{id}","requestParameters":{"integration.request.path.id":"method.request.path.id"},"requestTemplates":{"application/json":"{\"item\": $input.json('$')}"},"responses":{"default":{"statusCode":"200"}}}}}`, i, i, i)
}

// largest imports a document of the largest size that the service takes, in both forms.
func largest(ctx context.Context, c *apigateway.Client, p *process) error {
	const limit = 6 << 20
	n := limit / (len(manyMethods(2000)) / 2000)
	for len(manyMethods(n)) > limit-100 {
		n -= 10
	}
	json := manyMethods(n)
	yaml := append([]byte("# a flow mapping of YAML\n"), json...)
	for _, d := range []struct {
		form string
		body []byte
	}{{"JSON", json}, {"YAML", yaml}} {
		before := p.megabytes("VmHWM")
		began := time.Now()
		if err := importDocument(ctx, c, d.body); err != nil {
			return err
		}
		fmt.Printf("import of %.1f MB of %s, %d methods: %v; peak memory %d MB, %d MB before\n", float64(len(d.body))/(1<<20), d.form, n,
			time.Since(began).Round(time.Millisecond), p.megabytes("VmHWM"), before)
	}
	return nil
}

// megabytes reads a field of /proc/PID/status: VmRSS is what is resident, VmHWM the most that was.
func (p *process) megabytes(field string) int {
	most := 0
	for _, pid := range p.family() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			var n int
			if rest, ok := strings.CutPrefix(line, field+":"); ok {
				if _, err := fmt.Sscanf(strings.TrimSpace(rest), "%d", &n); err == nil {
					most = max(most, n>>10)
				}
			}
		}
	}
	return most
}
