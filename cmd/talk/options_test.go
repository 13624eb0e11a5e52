package talk

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOptions(t *testing.T) {
	t.Parallel()
	for says, o := range map[string]Options{
		"only one of":          {Tone: 1, PCM: true, PCMRate: 48000, PCMChannels: 1},
		"--tone=-1":            {Tone: -1},
		"--pcm-rate=44100":     {PCM: true, PCMRate: 44100, PCMChannels: 1},
		"--pcm-channels=6":     {PCM: true, PCMRate: 48000, PCMChannels: 6},
		"cannot have the key":  {Play: "-", PTT: true},
		"nothing to talk with": {PTT: true},
		"--priority=256":       {Priority: 256},
		"--for=-1s":            {For: -time.Second},
	} {
		err := o.Validate()
		require.ErrorIs(t, err, ErrOption, says)
		require.ErrorContains(t, err, says)
	}
	require.NoError(t, (&Options{Play: "-", Priority: 255}).Validate())
}

func TestFind(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]place{
		"http://127.0.0.1:8080":                              {base: "http://127.0.0.1:8080", token: "mine"},
		"localhost:8080/":                                    {base: "http://localhost:8080", token: "mine"},
		"127.0.0.1:8080":                                     {base: "http://127.0.0.1:8080", token: "mine"},
		"voice.example.org":                                  {base: "https://voice.example.org", token: "mine"},
		"https://voice.example.org/v/#invite=s":              {base: "https://voice.example.org/v", token: "mine", invite: "s"},
		"https://voice.example.org/#token=t&channel=o%2Fp":   {base: "https://voice.example.org", token: "t", channel: "o/p"},
		"https://ada@voice.example.org/?audio=raw#channel=x": {base: "https://voice.example.org", token: "mine", channel: "x"},
	} {
		found, err := (&Options{URL: address, Token: "mine"}).find()
		require.NoError(t, err, address)
		require.Equal(t, want, found, address)
	}
	for _, address := range []string{"", "ftp://voice.example.org", "http://", "https://[", "https://voice.example.org/#invite=%"} {
		_, err := (&Options{URL: address}).find()
		require.ErrorIs(t, err, ErrOption, address)
	}
	found, err := (&Options{URL: "https://voice.example.org/#channel=x", Channel: "y"}).find()
	require.NoError(t, err)
	require.Equal(t, "y", found.channel)
}

func TestNamesOfFiles(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Ada":                 "Ada",
		"../../etc/passwd":    "_.._etc_passwd",
		"a\x00b\nc":           "a_b_c",
		".. .":                "",
		"-Zoe":                "_Zoe",
		"..-rf":               "_rf",
		"--":                  "_-",
		`C:\con<>|"?*`:        "C__con______",
		"진영":                  "진영",
		string(longName('ü')): string(longName('ü')[:maxFileName/2]),
	} {
		require.Equal(t, want, fileName(name))
	}
}

func longName(r rune) []rune {
	name := make([]rune, 64)
	for i := range name {
		name[i] = r
	}
	return name
}
