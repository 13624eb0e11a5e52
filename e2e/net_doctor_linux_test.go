package e2e

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/cmd/doctor"
)

// TestRoleDoctor is no test of its own: it looks at the server from the client's place, and
// says its report.
func TestRoleDoctor(t *testing.T) {
	var todo netClient
	task(t, &todo)
	report := examine(t, todo.URL)
	text, err := json.Marshal(report)
	require.NoError(t, err)
	say("%s", text)
	cues(func(string) {})
}

// examines has a doctor look at the server from the client's place.
func (n *network) examines(url string) doctor.Report {
	n.t.Helper()
	var report doctor.Report
	require.NoError(n.t, json.Unmarshal([]byte(n.play(n.client, "TestRoleDoctor", netClient{URL: url}).says()), &report))
	return report
}

func TestNetDoctorDirect(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, true)
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	for _, url := range []string{"http://" + netServerV4, "http://[" + netServerV6 + "]"} {
		report := n.examines(url)
		require.Equal(t, "direct UDP", report.Way, "%+v", report.Checks)
		complains(t, report, "HTTPS", doctor.Warning, "plain HTTP", "no microphone", "--domain")
		complains(t, report, "Voice over UDP", doctor.Good, "UDP port 10000")
		complains(t, report, "TURN over UDP 3478", doctor.Good)
	}
}

func TestNetDoctorNoUDP(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.dropUDP()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	report := n.examines("http://" + netServerV4)
	require.Equal(t, "TURN over TCP", report.Way, "%+v", report.Checks)
	require.Contains(t, report.Verdict(), "only relayed")
	complains(t, report, "Voice over UDP", doctor.Warning, "nothing comes back", netServerV4,
		"Allow UDP port 10000 in", "--udp", "it is this one that blocks UDP")
	complains(t, report, "TURN over UDP 3478", doctor.Warning, "allow UDP port 3478 in", "--turn-udp")
	complains(t, report, "TURN over TCP 3478", doctor.Good)
	require.NotContains(t, find(t, report, "Voice over UDP").Advice, "--announce")
}

// Only the media port is closed: that UDP gets through to TURN says where.
func TestNetDoctorMediaPort(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.ip(n.router, "rule add pref 10 ipproto udp dport 10000 blackhole")
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	report := n.examines("http://" + netServerV4)
	require.Equal(t, "TURN over UDP", report.Way, "%+v", report.Checks)
	complains(t, report, "Voice over UDP", doctor.Warning, "Allow UDP port 10000 in")
	require.Len(t, find(t, report, "Voice over UDP").Advice, 1, "nothing else is to blame")
}

func TestNetDoctorOnlyHTTPS(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.serveOnlyHTTPS()
	report := n.examines("https://" + netServerV4)
	require.Equal(t, "TURN over TLS", report.Way, "%+v", report.Checks)
	complains(t, report, "Voice over UDP", doctor.Warning, "UDP port 10000")
	complains(t, report, "TURN over UDP 3478", doctor.Warning, "UDP port 3478")
	complains(t, report, "TURN over TCP 3478", doctor.Warning, "allow TCP port 3478 in", "--turn-tcp")
	complains(t, report, "TURN over TLS 443", doctor.Good)
}

// The server tells clients an address that leads nowhere, as behind NAT; the doctor finds
// the right one. Opened by its address, the server knows better by itself.
func TestNetDoctorAnnounce(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", URL: "http://127.0.0.1", Announce: "192.168.77.7", NoTURN: true}).says())
	n.names("voice.test", netServerV4)
	report := n.examines("http://voice.test")
	complains(t, report, "Voice over UDP", doctor.Failed, "UDP port 10000 answers at "+netServerV4,
		"192.168.77.7", "--announce="+netServerV4)
	require.Equal(t, "Voice cannot work from here.", report.Verdict())
	require.True(t, n.examines("http://"+netServerV4).Works)
}

// Behind the same wrong address, the port is closed too: both are named.
func TestNetDoctorNothingWorks(t *testing.T) {
	t.Parallel()
	n := newNetwork(t, true, false)
	n.dropUDP()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer",
		netServer{HTTP: ":80", URL: "http://127.0.0.1", Announce: "192.168.77.7", NoTURN: true}).says())
	n.names("voice.test", netServerV4)
	report := n.examines("http://voice.test")
	complains(t, report, "Voice over UDP", doctor.Failed, "Allow UDP port 10000 in", "--announce="+netServerV4)
	complains(t, report, "TURN", doctor.Warning, "--no-turn")
	require.False(t, report.Works)

	// And a server that cannot be reached at all.
	report = n.examines("http://" + netServerV4 + ":81")
	complains(t, report, "Address", doctor.Failed, "refuses connections")
	n.allowOnlyTCP("79")
	report = n.examines("https://" + netServerV4)
	complains(t, report, "Address", doctor.Failed, "nothing answers", "allow TCP port 443 in")
}

// TestRoleCheckup is no test of its own: it opens the page in the client's place, checks
// the connection and says what that shows.
func TestRoleCheckup(t *testing.T) {
	var todo netClient
	task(t, &todo)
	ada := startBrowser(t, "Ada", toneAda)
	ada.open(&server{URL: todo.URL}, "")
	ada.click("#start-checkup")
	text, err := json.Marshal(ada.checked())
	require.NoError(t, err)
	ada.close()
	say("%s", text)
	cues(func(string) {})
}

// TestBrowserCheckupNoUDP looks at a server from a network that drops UDP.
func TestBrowserCheckupNoUDP(t *testing.T) {
	chromium(t)
	n := newNetwork(t, true, false)
	n.dropUDP()
	require.Equal(t, "serving", n.play(n.server, "TestRoleServer", netServer{HTTP: ":80", URL: "http://127.0.0.1"}).says())
	var found checkup
	said := n.play(n.client, "TestRoleCheckup", netClient{URL: "http://" + netServerV4}).says()
	require.NoError(t, json.Unmarshal([]byte(said), &found))
	require.Regexp(t, `^You can listen from here but not talk: TURN over TCP`, found.Verdict)
	found.says(t, "Voice over UDP", "warning", netServerV4+", UDP port 10000", "Allow UDP port 10000 in", "this one that blocks UDP")
	found.says(t, "TURN over UDP 3478", "warning", "nothing comes back", "allow UDP port 3478 in", "--turn-udp")
	found.says(t, "TURN over TCP 3478", "good")
}
