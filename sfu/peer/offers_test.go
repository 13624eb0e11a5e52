package peer

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pion/sdp/v3"
	"github.com/stretchr/testify/require"

	"github.com/mini-livechat/mini-livechat/sfu/wire"
)

const (
	testMaxBytes = 56 << 10
	testMaxSlots = 4
	testHash     = "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"
)

// answerTo answers an offer without a connection.
func answerTo(offer string) (string, error) {
	asked, err := inspect(offer, testMaxBytes, testMaxSlots)
	if err != nil {
		return "", err
	}
	n := newNegotiation(asked, newSSRCs(asked.slots))
	n.way = transport{
		wire.Credentials{Ufrag: "ours", Pwd: strings.Repeat("p", 24)},
		testHash,
		[]netip.AddrPort{netip.MustParseAddrPort("192.0.2.7:7")},
	}
	return n.answer(), nil
}

// offersOf are offers of a microphone and two slots as stacks make them, in testdata.
func offersOf(tb testing.TB) map[string]string {
	tb.Helper()
	paths, err := filepath.Glob("testdata/offers/*.sdp")
	require.NoError(tb, err)
	require.NotEmpty(tb, paths)
	offers := map[string]string{"pion": realOffer(tb)}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(tb, err)
		offers[strings.TrimSuffix(filepath.Base(path), ".sdp")] = string(text)
	}
	return offers
}

// checkAnswer holds an answer against its offer by RFC 3264, 8285, 9143 and 9429, and says what is wrong.
func checkAnswer(offerText, answerText string) error {
	var offer, answer sdp.SessionDescription
	if offer.UnmarshalString(offerText+"\r\n") != nil { // pion's reader knows fewer media and minds the order
		_, _, err := readSDP(answerText)
		return err
	}
	if err := answer.UnmarshalString(answerText); err != nil {
		return fmt.Errorf("unreadable: %w", err)
	}
	if len(offer.MediaDescriptions) != len(answer.MediaDescriptions) {
		return errors.New("another number of lines")
	}
	group, _ := answer.Attribute("group")
	candidates := 0
	for i, a := range answer.MediaDescriptions {
		o := offer.MediaDescriptions[i]
		mid, _ := a.Attribute("mid")
		if offered, _ := o.Attribute("mid"); mid != offered {
			return fmt.Errorf("line %d: mid %q", i, mid)
		}
		if !slices.Equal(a.MediaName.Protos, o.MediaName.Protos) || a.MediaName.Media != o.MediaName.Media {
			return fmt.Errorf("line %d: another kind", i)
		}
		bundled := slices.Contains(strings.Fields(group), mid)
		if a.MediaName.Port.Value == 0 {
			if bundled && mid != "" {
				return fmt.Errorf("line %d: rejected, but in the group", i)
			}
			continue
		}
		if group != "" && !bundled {
			return fmt.Errorf("line %d: outside of the group", i)
		}
		for _, key := range []string{"rtcp-mux", "setup", "fingerprint", "ice-ufrag", "ice-pwd"} {
			if _, ok := a.Attribute(key); !ok {
				return fmt.Errorf("line %d: no %s", i, key)
			}
		}
		if _, ok := a.Attribute("candidate"); ok {
			candidates++
		}
		at, maps := -1, []string(nil)
		for _, format := range a.MediaName.Formats {
			next := slices.Index(o.MediaName.Formats, format)
			if next <= at {
				return fmt.Errorf("line %d: format %s not offered, or in another order", i, format)
			}
			at = next
		}
		for _, x := range a.Attributes {
			if x.Key == "rtpmap" {
				number, _, _ := strings.Cut(x.Value, " ")
				maps = append(maps, number)
			}
		}
		if !slices.Equal(maps, a.MediaName.Formats) {
			return fmt.Errorf("line %d: a=rtpmap in the order %v", i, maps)
		}
	}
	if candidates != 1 {
		return fmt.Errorf("candidates on %d lines", candidates)
	}
	return nil
}

func TestOffersOfStacksAreAnswered(t *testing.T) {
	for name, offer := range offersOf(t) {
		t.Run(name, func(t *testing.T) {
			answer, err := answerTo(offer)
			require.NoError(t, err)
			require.NoError(t, checkAnswer(offer, answer), answer)
			require.Equal(t, 1, strings.Count(answer, "a=recvonly\r\n"))
			require.Equal(t, strings.Count(offer, "a=recvonly"), strings.Count(answer, "a=sendonly\r\n"))
			require.NotContains(t, answer, "stereo=1;", "a voice is not asked to be stereo")
		})
	}
}

// small is an offer that has what is needed and nothing else.
const small = `v=0
o=- 1 1 IN IP4 0.0.0.0
s=-
t=0 0
a=group:BUNDLE a b
m=audio 9 UDP/TLS/RTP/SAVPF 96 63 0
a=mid:a
a=rtcp-mux
a=setup:actpass
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:` + testHash + `
a=rtpmap:96 opus/48000/2
a=rtpmap:63 red/48000/2
a=fmtp:63 96/96
a=sendonly
m=audio 9 UDP/TLS/RTP/SAVPF 96
a=mid:b
a=rtcp-mux
a=setup:actpass
a=ice-ufrag:abcd
a=ice-pwd:abcdefghijklmnopqrstuv
a=fingerprint:` + testHash + `
a=rtpmap:96 opus/48000/2
a=recvonly
`

// What the RFCs allow is answered; has and lacks are lines of the answer.
func TestAllowedOffersAreAnswered(t *testing.T) {
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(small) }
	session := func(lines ...string) string { // moves attributes of the lines to the session
		offer := small
		for _, l := range lines {
			offer = strings.ReplaceAll(offer, l+"\n", "")
			offer = strings.Replace(offer, "t=0 0\n", "t=0 0\n"+l+"\n", 1)
		}
		return offer
	}
	// one is the microphone alone.
	one := small[:strings.LastIndex(small, "m=audio")]
	video := "m=video 9 UDP/TLS/RTP/SAVPF 100 101\na=mid:v\na=rtpmap:100 VP8/90000\n"
	hash := "a=fingerprint:" + testHash
	for name, test := range map[string]struct {
		offer      string
		has, lacks []string
	}{
		"as it is":                  {small, []string{"a=group:BUNDLE a b", "m=audio 9 UDP/TLS/RTP/SAVPF 96 63", "a=ice-lite"}, nil},
		"no line end at the end":    {strings.TrimSpace(small), nil, nil},
		"CRLF":                      {change("\n", "\r\n"), nil, nil},
		"empty lines at the end":    {small + "\n\r\n", nil, nil},
		"lines out of order":        {change("t=0 0\n", "b=AS:50\nc=IN IP4 0.0.0.0\nt=0 0\nr=1 1 1\n"), nil, nil},
		"transport of the session":  {session("a=setup:actpass", "a=ice-ufrag:abcd", "a=ice-pwd:abcdefghijklmnopqrstuv", hash), nil, nil},
		"no setup":                  {change("a=setup:actpass\n", ""), []string{"a=setup:passive"}, nil},
		"setup in capitals":         {change("setup:actpass", "setup:ACTIVE"), nil, nil},
		"only rtcp-mux-only":        {change("a=rtcp-mux\n", "a=rtcp-mux-only\n"), nil, nil},
		"sha-1 first":               {change(hash, "a=fingerprint:sha-1 00\n"+hash), nil, nil},
		"another group first":       {change("a=group", "a=group:LS a b\na=group"), []string{"a=group:BUNDLE a b"}, nil},
		"the other line first":      {change("BUNDLE a b", "BUNDLE b a"), []string{"a=group:BUNDLE b a"}, nil},
		"bundle-only":               {change("m=audio 9 UDP/TLS/RTP/SAVPF 96\n", "m=audio 0 UDP/TLS/RTP/SAVPF 96\na=bundle-only\n"), []string{"m=audio 9 UDP/TLS/RTP/SAVPF 96"}, []string{"a=bundle-only"}},
		"one line alone":            {strings.NewReplacer("a=group:BUNDLE a b\n", "", "a=mid:a\n", "").Replace(one), []string{"m=audio 9 UDP/TLS/RTP/SAVPF 96 63"}, []string{"a=mid:", "a=group:BUNDLE"}},
		"one line with a mid":       {strings.Replace(one, "a=group:BUNDLE a b\n", "", 1), []string{"a=mid:a"}, []string{"a=group:BUNDLE"}},
		"a line taken back":         {change("m=audio 9 UDP/TLS/RTP/SAVPF 96\n", "m=audio 0 UDP/TLS/RTP/SAVPF 96\n", "BUNDLE a b", "BUNDLE a"), []string{"m=audio 0 UDP/TLS/RTP/SAVPF 96", "a=group:BUNDLE a"}, []string{"a=group:BUNDLE a b"}},
		"taken back, no group":      {change("m=audio 9 UDP/TLS/RTP/SAVPF 96 63", "m=audio 0 UDP/TLS/RTP/SAVPF 96 63", "a=group:BUNDLE a b\n", ""), []string{"m=audio 0 UDP/TLS/RTP/SAVPF 96"}, nil},
		"video besides":             {change("BUNDLE a b", "BUNDLE v a b") + video, []string{"m=video 0 UDP/TLS/RTP/SAVPF 100", "a=group:BUNDLE a b"}, nil},
		"data besides":              {small + "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\na=mid:d\n", []string{"m=application 0 UDP/DTLS/SCTP webrtc-datachannel"}, nil},
		"encoding in capitals":      {change("opus/48000", "OPUS/48000", "red/", "RED/"), []string{"a=rtpmap:63 red/48000/2"}, nil},
		"RED first":                 {change("96 63 0", "63 0 96"), []string{"m=audio 9 UDP/TLS/RTP/SAVPF 63 96"}, nil},
		"Opus twice":                {change("SAVPF 96", "SAVPF 97 96", "a=rtpmap:96", "a=rtpmap:97 opus/48000/2\na=rtpmap:96"), []string{"m=audio 9 UDP/TLS/RTP/SAVPF 97"}, []string{"a=rtpmap:96 opus/48000/2"}},
		"Opus as RTCP first":        {change("SAVPF 96", "SAVPF 72 96", "a=rtpmap:96", "a=rtpmap:72 opus/48000/2\na=rtpmap:96"), []string{"a=rtpmap:96 opus/48000/2"}, []string{"a=rtpmap:72 opus/48000/2"}},
		"extensions of the session": {change("t=0 0\n", "t=0 0\na=extmap:3/sendonly "+audioLevelURI+"\n"), []string{"a=extmap:3/recvonly " + audioLevelURI}, nil},
		"tls-id":                    {change("a=setup", "a=tls-id:0123456789abcdefghij\na=setup"), []string{"a=tls-id:"}, nil},
		"direction of the session":  {strings.Replace(strings.Replace(one, "a=sendonly\n", "", 1), "t=0 0\n", "t=0 0\na=sendonly\n", 1), []string{"a=recvonly"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := answerTo(test.offer)
			require.NoError(t, err)
			require.NoError(t, checkAnswer(test.offer, answer), answer)
			for _, l := range test.has {
				require.Contains(t, answer, l)
			}
			for _, l := range test.lacks {
				require.NotContains(t, answer, l+"\r\n")
			}
		})
	}
	for _, protocol := range protocols { // RFC 9429, section 5.1.2
		answer, err := answerTo(change("UDP/TLS/RTP/SAVPF", protocol))
		require.NoError(t, err, protocol)
		require.Equal(t, 2, strings.Count(answer, "m=audio 9 "+protocol+" 96"))
	}
}

// What a line asks for of Opus is answered by RFC 7587, section 7.1.
func TestOpusParameters(t *testing.T) {
	const voice = "minptime=10;useinbandfec=1;usedtx=1"
	for name, test := range map[string]struct{ offered, mic, slot string }{
		"nothing":            {"", voice, ""},
		"Chromium":           {"a=fmtp:96 minptime=10;useinbandfec=1\n", voice, ""},
		"Firefox":            {"a=fmtp:96 maxplaybackrate=48000;stereo=1;useinbandfec=1\n", voice + ";maxplaybackrate=48000", "sprop-stereo=1"},
		"music":              {"a=fmtp:96 usedtx=0; useinbandfec=0; sprop-stereo=1; maxaveragebitrate=128000\n", "minptime=10;useinbandfec=0;usedtx=0;stereo=1;maxaveragebitrate=128000", ""},
		"capitals, CBR":      {"a=fmtp:96 UseDTX=0;CBR=1\n", "minptime=10;useinbandfec=1;usedtx=0;cbr=1", ""},
		"narrow":             {"a=fmtp:96 maxplaybackrate=8000;minptime=40\n", "minptime=40;useinbandfec=1;usedtx=1;maxplaybackrate=8000", ""},
		"two lines":          {"a=fmtp:96 usedtx=0\na=fmtp:96 cbr=1;usedtx=1\n", "minptime=10;useinbandfec=1;usedtx=0;cbr=1", ""},
		"another format":     {"a=fmtp:0 usedtx=0\n", voice, ""},
		"out of bounds":      {"a=fmtp:96 maxaveragebitrate=5999;maxplaybackrate=96000;minptime=3;usedtx=2;;=;x\n", voice, ""},
		"out of bounds, too": {"a=fmtp:96 maxaveragebitrate=510001;maxplaybackrate=x;minptime=121;useinbandfec=-1\n", voice, ""},
		"packet lengths":     {"a=ptime:40\na=maxptime:60\n", voice, ""},
		"no packet lengths":  {"a=ptime:x\na=maxptime:NaN\n", voice, ""},
	} {
		t.Run(name, func(t *testing.T) {
			answer, err := answerTo(strings.ReplaceAll(small, "a=rtcp-mux\n", "a=rtcp-mux\n"+test.offered))
			require.NoError(t, err)
			lines := strings.Split(answer, "m=audio")
			for i, want := range []string{test.mic, test.slot} {
				got := regexp.MustCompile(`a=fmtp:96 (.*)\r\n`).FindStringSubmatch(lines[i+1])
				if want == "" {
					require.Empty(t, got)
				} else {
					require.Equal(t, want, got[1])
				}
			}
			require.Equal(t, name == "packet lengths", strings.Contains(lines[1], "a=ptime:40\r\na=maxptime:60\r\n"))
			require.Equal(t, name == "packet lengths", strings.Contains(answer, "ptime:"))
		})
	}
}

// What is refused says which line it is, and what would be right.
func TestRefusalsNameTheLine(t *testing.T) {
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(small) }
	const bad, unsupported = "bad SDP: ", "unsupported media: "
	for name, test := range map[string]struct{ offer, want string }{
		"nothing":            {"", bad + "sdp_offer is empty"},
		"no SDP":             {`{"type":"offer"}`, bad + `line 1, {"type":"offer"}: a description begins with v=0`},
		"escaped twice":      {`v=0\r\no=- 1 1 IN IP4 0.0.0.0`, bad + `line 1, v=0\r\no=- 1 1 IN IP4 0.0.0.0: a description begins with v=0`},
		"another version":    {change("v=0", "v=1"), bad + "line 1, v=1: a description begins with v=0"},
		"no letter":          {change("s=-", "session"), bad + "line 3, session: a line is a letter, = and a value"},
		"an unknown type":    {change("s=-", "x=-"), bad + "line 3, x=-: no line of this type may stand here (RFC 8866, section 5)"},
		"a control":          {change("s=-", "s=\x00"), bad + "line 3, s=?: has a control character inside"},
		"a short password":   {change("ice-pwd:abcdefghijklmnopqrstuv", "ice-pwd:secret"), bad + "line 11, a=ice-pwd:…: must have 22 to 256 characters, it has 6"},
		"a short ufrag":      {change("ufrag:abcd", "ufrag:abc"), bad + "line 10, a=ice-ufrag:abc: must have 4 to 256 characters, it has 3"},
		"no password":        {change("a=ice-pwd:abcdefghijklmnopqrstuv\n", ""), bad + "line 6, m=audio 9 UDP/TLS/RTP/SAVPF 96 63 0: needs a=ice-pwd"},
		"a broken hash":      {change(testHash, "sha-256 00:11"), bad + "line 12, a=fingerprint:sha-256 00:11: must be sha-256, sha-384 or sha-512 and all of the hash, in hex with colons"},
		"a weak hash":        {change("sha-256", "sha-1"), "one of sha-256, sha-384 or sha-512 is needed"},
		"no hash":            {change("a=fingerprint:"+testHash+"\n", ""), "line 6, m=audio 9 UDP/TLS/RTP/SAVPF 96 63 0: needs a=fingerprint"},
		"passive":            {change("actpass", "passive"), unsupported + "line 9, a=setup:passive: must be actpass or active"},
		"ICE-lite":           {change("t=0 0\n", "t=0 0\na=ice-lite\n"), unsupported + "line 5, a=ice-lite: the server is ICE-lite"},
		"RTCP elsewhere":     {change("a=rtcp-mux\n", ""), unsupported + "line 6, m=audio 9 UDP/TLS/RTP/SAVPF 96 63 0: needs a=rtcp-mux"},
		"no group":           {change("a=group:BUNDLE a b\n", ""), "all lines must be in one group, a=group:BUNDLE a b"},
		"a line outside":     {change("BUNDLE a b", "BUNDLE a c"), bad + "line 5, a=group:BUNDLE a c: all lines must be in one group, a=group:BUNDLE a b"},
		"one mid twice":      {change("a=mid:b", "a=mid:a"), bad + "line 18, a=mid:a: another line has this mid"},
		"no mid":             {change("a=mid:b\n", ""), bad + "line 17, m=audio 9 UDP/TLS/RTP/SAVPF 96: needs an a=mid"},
		"a long mid":         {change("a=mid:b", "a=mid:"+strings.Repeat("b", 17)), bad + "line 18, a=mid:bbbbbbbbbbbbbbbbb: must have 1 to 16 bytes"},
		"sendrecv":           {change("a=recvonly\n", ""), unsupported + "line 17, m=audio 9 UDP/TLS/RTP/SAVPF 96: its direction is sendrecv"},
		"inactive":           {change("a=recvonly", "a=inactive"), unsupported + "line 25, a=inactive: its direction is inactive"},
		"two directions":     {change("a=recvonly", "a=recvonly\na=sendonly"), unsupported + "line 26, a=sendonly: its direction is recvonly and sendonly"},
		"two microphones":    {change("a=recvonly", "a=sendonly"), unsupported + "line 25, a=sendonly: is the second sendonly line"},
		"no Opus":            {change("opus/48000/2", "G722/8000"), unsupported + "line 6, m=audio 9 UDP/TLS/RTP/SAVPF 96 63 0: has no a=rtpmap of opus/48000/2"},
		"Opus of 16 kHz":     {change("opus/48000/2", "opus/16000"), unsupported + "line 13, a=rtpmap:96 opus/16000: Opus is opus/48000/2 whatever it carries"},
		"RTCP's type":        {change("96", "72"), "give it one of 96 to 127"},
		"another protocol":   {change("UDP/TLS/RTP/SAVPF", "TCP/MSRP"), unsupported + "line 6, m=audio 9 TCP/MSRP 96 63 0: its protocol must be UDP/TLS/RTP/SAVPF"},
		"no formats":         {change("m=audio 9 UDP/TLS/RTP/SAVPF 96\n", "m=audio 9\n"), bad + "line 17, m=audio 9: must have a medium, port, protocol and formats"},
		"two ports":          {change("m=audio 9 ", "m=audio 9/2 "), "its port must be one number of 0 to 65535"},
		"nothing but video":  {change("m=audio", "m=video"), unsupported + "no m=audio line with a port other than 0"},
		"all taken back":     {change("m=audio 9", "m=audio 0"), unsupported + "no m=audio line with a port other than 0"},
		"too many slots":     {small + strings.Repeat(small[strings.LastIndex(small, "m=audio"):strings.LastIndex(small, "a=mid:b")]+small[strings.LastIndex(small, "a=rtcp-mux"):], testMaxSlots), "is one recvonly line too many, at most 4 are answered"},
		"too many lines":     {small + strings.Repeat("m=video 0 x 0\n", 100), "is one too many, at most 37 are read"},
		"bundle-only, alone": {strings.NewReplacer("m=audio 9", "m=audio 0", "a=mid:a", "a=mid:a\na=bundle-only", "a=group:BUNDLE a b\n", "").Replace(small[:strings.LastIndex(small, "m=audio")]), "all lines must be in one group, a=group:BUNDLE a"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := answerTo(test.offer)
			require.ErrorContains(t, err, test.want)
		})
	}
}

// FuzzOffer: whatever strangers offer is answered as the RFCs have it, or refused in words.
func FuzzOffer(f *testing.F) {
	for _, offer := range offersOf(f) {
		f.Add(offer)
	}
	f.Add(small)
	f.Add("v=0\r\n")
	f.Fuzz(func(t *testing.T, offer string) {
		answer, err := answerTo(offer)
		switch {
		case err == nil:
			if wrong := checkAnswer(offer, answer); wrong != nil {
				t.Errorf("%v\n%s", wrong, answer)
			}
		case !errors.Is(err, ErrBadSDP) && !errors.Is(err, ErrUnsupportedMedia):
			t.Error(err)
		case !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\r\n\x00"):
			t.Errorf("%q", err)
		}
	})
}
