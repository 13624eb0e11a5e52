package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"go.yaml.in/yaml/v3"

	"github.com/mini-livechat/mini-livechat/cmd/app"
)

// requirePromtool is the environment variable that turns the missing of promtool from a skipped test into a failed one.
const requirePromtool = "LIVECHAT_REQUIRE_PROMTOOL"

// promtool runs Prometheus's own tool in the directory of the rules, and returns what it says.
func promtool(t *testing.T, input string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		if os.Getenv(requirePromtool) != "" {
			t.Fatal("promtool is missing; it is in Debian's package prometheus")
		}
		t.Skip("promtool is missing; it is in Debian's package prometheus")
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = "monitoring", strings.NewReader(input)
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "promtool %s: %s", strings.Join(args, " "), said)
	return string(said)
}

// scraped is what a server that runs answers Prometheus.
func scraped(t *testing.T) string {
	t.Helper()
	cfg := app.Default()
	cfg.HTTP, cfg.UDP, cfg.TURNUDP, cfg.TURNTCP = "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0"
	cfg.Metrics, cfg.Data = "127.0.0.1:0", t.TempDir()
	server, err := app.New(cfg, zap.NewNop())
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-ended)
	}()
	return fetch(t, "http://"+server.MetricsAddr()+app.MetricsPath)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text)
}

// exprs are all expressions of Grafana's dashboard and of the alert rules, with what Grafana fills in filled in.
func exprs(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	var dashboard struct {
		UID, Title string
		Panels     []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "monitoring", "grafana.json")), &dashboard))
	require.NotEmpty(t, dashboard.UID)
	for _, panel := range dashboard.Panels {
		require.Equal(t, panel.Type == "row", len(panel.Targets) == 0, panel.Title)
		for i, target := range panel.Targets {
			require.Contains(t, target.Expr, `instance=~"$instance"`, panel.Title)
			filled := strings.NewReplacer("$__rate_interval", "5m", "$job", ".*", "$instance", ".*").Replace(target.Expr)
			all[fmt.Sprint("panel ", panel.Title, " ", i)] = filled
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "monitoring", "alerts.yml")), &rules))
	for _, group := range rules.Groups {
		for _, rule := range group.Rules {
			all["alert "+rule.Alert] = rule.Expr
		}
	}
	require.Greater(t, len(all), 40)
	return all
}

// What the server answers is as Prometheus likes it, and all that the dashboard and the rules ask for is there.
func TestMonitoringAsksForWhatThereIs(t *testing.T) {
	text := scraped(t)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
	there := map[string]bool{"up": true}
	for _, name := range ofSeveralNodes() {
		there[name] = true
	}
	for _, line := range regexp.MustCompile(`(?m)^([a-z_0-9]+)[{ ]`).FindAllStringSubmatch(text, -1) {
		there[line[1]] = true
	}
	asked := make(map[string]bool)
	for where, expr := range exprs(t) {
		names := regexp.MustCompile(`\b(livechat|go|process)_[a-z_0-9]+`).FindAllString(expr, -1)
		if !strings.HasPrefix(expr, "up{") {
			require.NotEmpty(t, names, where)
		}
		for _, name := range names {
			require.True(t, there[name], "%s asks for %s, which no server has", where, name)
			asked[strings.NewReplacer("_bucket", "", "_count", "").Replace(name)] = true
		}
	}
	for name := range there {
		if base := regexp.MustCompile(`_(bucket|count|sum)$`).ReplaceAllString(name, ""); strings.HasPrefix(name, "livechat_") &&
			!strings.HasSuffix(name, "_info") {
			require.True(t, asked[base] || asked[name] || onlyForTheCurious(name), "%s is on no panel and in no rule", name)
		}
	}
}

// ofSeveralNodes are figures that a server has which is not alone; TestThreeNodesAsProcesses sees them.
func ofSeveralNodes() []string {
	return []string{"livechat_quorum", "livechat_link_up", "livechat_log_trouble", "livechat_clock_ahead_seconds"}
}

// onlyForTheCurious are figures that neither dashboard nor rules need.
func onlyForTheCurious(name string) bool {
	return name == "livechat_draining" || name == "livechat_listening"
}

// Prometheus's own tool reads the rules, finds them to fire when they should and not else, and understands every expression of the
// dashboard.
func TestPromtoolAccepts(t *testing.T) {
	promtool(t, "", "check", "rules", "alerts.yml")
	promtool(t, "", "test", "rules", "alerts_test.yml")
	promtool(t, scraped(t), "check", "metrics")
	var records struct {
		Groups []any `yaml:"groups"`
	}
	rules := make([]map[string]string, 0, 64)
	for _, expr := range exprs(t) {
		rules = append(rules, map[string]string{"record": fmt.Sprintf("panel:%d", len(rules)), "expr": expr})
	}
	records.Groups = []any{map[string]any{"name": "dashboard", "rules": rules}}
	var file bytes.Buffer
	require.NoError(t, yaml.NewEncoder(&file).Encode(records))
	path := filepath.Join(t.TempDir(), "dashboard.yml")
	require.NoError(t, os.WriteFile(path, file.Bytes(), 0o600))
	require.Contains(t, promtool(t, "", "check", "rules", path), fmt.Sprint(len(rules), " rules found"))
}
