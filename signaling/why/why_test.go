package why

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// sound is two people in a channel, of whom one hears the other speak.
func sound() Facts {
	party := Party{
		Here: true, Channel: "lobby", Microphone: true,
		Path: Path{Age: time.Minute, Checked: true, Keyed: true, Sending: true, Silent: 20 * time.Millisecond},
	}
	return Facts{
		Talker: party, Listener: party, Together: true, Open: true, Slots: 4, Slot: true,
		Voice: Voice{Came: true, Newest: 20 * time.Millisecond, Levels: true, Sounded: true, Speaking: true},
		Out:   Out{Sent: 3000, Unconfirmed: 100},
	}
}

// sure is a way between nodes on which nothing is wrong.
func sure() *Between {
	end := End{Up: true, Since: time.Minute, Heard: true, Wanted: true, Line: true, Sent: new(20 * time.Millisecond), Came: new(20 * time.Millisecond)}
	return &Between{Node: "n2", There: end, Here: end}
}

func TestFindsTheFirstBrokenLink(t *testing.T) {
	t.Parallel()
	none, some, zero, no := int64(0), int64(40), 0.0, false
	young := func(p *Party) { p.Path.Age = time.Second }
	for name, c := range map[string]struct {
		breaks func(*Facts)
		want   Cause
	}{
		"nothing":                {func(*Facts) {}, OK},
		"silence":                {func(f *Facts) { f.Voice.Speaking = false }, Quiet},
		"oneself":                {func(f *Facts) { f.Yourself = true }, Yourself},
		"nobody":                 {func(f *Facts) { f.Talker = Party{} }, NotHere},
		"no channel":             {func(f *Facts) { f.Talker.Channel = "" }, NotInChannel},
		"fell out":               {func(f *Facts) { f.Talker.Channel, f.Talker.MediaEnd = "", "handshake timeout" }, MediaFailed},
		"listener nowhere":       {func(f *Facts) { f.Listener.Channel = "" }, YouNotInChannel},
		"listener fell out":      {func(f *Facts) { f.Listener.Channel, f.Listener.MediaEnd = "", "timed out" }, YouMediaFailed},
		"another channel":        {func(f *Facts) { f.Together = false }, OtherChannel},
		"listening in":           {func(f *Facts) { f.Together, f.Tuned = false, true }, OK},
		"hearing another":        {func(f *Facts) { f.Together, f.Tuned, f.Slot = false, true, false }, NotTuned},
		"no microphone":          {func(f *Facts) { f.Talker.Microphone = false }, NoMicrophone},
		"microphone silent":      {func(f *Facts) { f.Talker.Mic = "silent" }, MicSilent},
		"silent and muted":       {func(f *Facts) { f.Talker.Mic, f.Talker.SelfMute = "silent", true }, Muted},
		"microphone held":        {func(f *Facts) { f.Talker.Mic = "held" }, MicHeld},
		"microphone lost":        {func(f *Facts) { f.Talker.Mic = "lost" }, MicLost},
		"zeros":                  {func(f *Facts) { f.Voice.Speaking, f.Voice.Silent = false, 6*time.Second }, MicSilent},
		"zeros without levels":   {func(f *Facts) { f.Voice.Levels, f.Voice.Speaking, f.Voice.Silent = false, false, 6*time.Second }, Quiet},
		"no UDP":                 {func(f *Facts) { f.Talker.Path.Checked = false }, NoUDP},
		"no UDP yet":             {func(f *Facts) { f.Talker.Path.Checked = false; young(&f.Talker) }, Connecting},
		"no DTLS":                {func(f *Facts) { f.Talker.Path.Keyed = false }, NoDTLS},
		"no DTLS yet":            {func(f *Facts) { f.Talker.Path.Keyed = false; young(&f.Talker) }, Connecting},
		"muted":                  {func(f *Facts) { f.Talker.SelfMute, f.Voice.Came = true, false }, Muted},
		"deaf":                   {func(f *Facts) { f.Talker.SelfMute, f.Talker.SelfDeaf = true, true }, Deaf},
		"moderator's mute":       {func(f *Facts) { f.Talker.Muted, f.Talker.SelfMute = true, true }, MutedByModerator},
		"audience":               {func(f *Facts) { f.Talker.Suppressed = true }, Audience},
		"another has the floor":  {func(f *Facts) { f.Turns, f.Open, f.Holder = true, false, true }, FloorOther},
		"nobody has the floor":   {func(f *Facts) { f.Turns, f.Open = true, false }, FloorIdle},
		"path lost":              {func(f *Facts) { f.Talker.MediaLost = true }, MediaLost},
		"path silent":            {func(f *Facts) { f.Talker.Path.Silent = 6 * time.Second }, MediaLost},
		"no packet":              {func(f *Facts) { f.Voice.Came = false }, NoPackets},
		"no packet yet":          {func(f *Facts) { f.Voice.Came = false; young(&f.Talker) }, Connecting},
		"no packet any more":     {func(f *Facts) { f.Voice.Newest = 3 * time.Second }, NoPackets},
		"nothing any more":       {func(f *Facts) { f.Voice.Newest, f.Talker.Path.Silent = 3*time.Second, 3*time.Second }, MediaLost},
		"checks only":            {func(f *Facts) { f.Voice.Newest, f.Talker.Path.Silent = 3*time.Second, 2*time.Second }, NoPackets},
		"muted without UDP":      {func(f *Facts) { f.Talker.Path.Checked, f.Talker.SelfMute = false, true }, Muted},
		"loss up":                {func(f *Facts) { f.Talker.Path.LossUp = 0.6 }, LossyUp},
		"on another node":        {func(f *Facts) { f.Between = sure() }, OK},
		"node gone":              {func(f *Facts) { f.Talker.Gone = "n2" }, NodeGone},
		"link lost":              {func(f *Facts) { f.Between = sure(); f.Between.Here.Up = false }, NodeLinkLost},
		"link never up":          {func(f *Facts) { f.Between = &Between{Node: "n2", Here: End{Since: time.Minute}} }, NodeLinkLost},
		"link young":             {func(f *Facts) { f.Between = &Between{Node: "n2", Here: End{Since: time.Second}} }, Connecting},
		"link lost there":        {func(f *Facts) { f.Between = sure(); f.Between.There.Up = false }, NodeLinkLost},
		"sent and never came":    {func(f *Facts) { f.Between = sure(); f.Between.Here.Came = nil }, NodeLinkLost},
		"not wanted there":       {func(f *Facts) { f.Between = sure(); f.Between.There.Wanted = false }, NodeNotAsked},
		"no stream there":        {func(f *Facts) { f.Between = sure(); f.Between.There.Line = false }, NodeNotAsked},
		"not wanted yet":         {func(f *Facts) { f.Between = sure(); f.Between.There.Wanted = false; young(&f.Listener) }, OK},
		"not wanted by the deaf": {func(f *Facts) { f.Between = sure(); f.Between.There.Wanted, f.Listener.SelfDeaf = false, true }, YouDeaf},
		"loss between nodes":     {func(f *Facts) { f.Between = sure(); f.Between.Here.Loss = 0.5 }, NodeLinkLossy},
		"loss between nodes that is mended": {func(f *Facts) {
			f.Between, f.Playback = sure(), &Playback{Concealed: new(0.02)}
			f.Between.Here.Loss = 0.5
		}, OK},
		"muted on a lost link":  {func(f *Facts) { f.Between = sure(); f.Between.Here.Up, f.Talker.SelfMute = false, true }, Muted},
		"listener deaf":         {func(f *Facts) { f.Listener.SelfDeaf, f.Slot = true, true }, YouDeaf},
		"excluded":              {func(f *Facts) { f.Excluded, f.Slot = true, false }, Excluded},
		"no slots":              {func(f *Facts) { f.Slots, f.Slot = 0, false }, NoSlots},
		"not on a slot":         {func(f *Facts) { f.Slot = false }, NotInSlots},
		"listener has no UDP":   {func(f *Facts) { f.Listener.Path.Checked = false }, YouNoUDP},
		"listener has no DTLS":  {func(f *Facts) { f.Listener.Path.Keyed = false }, YouNoDTLS},
		"listener's path lost":  {func(f *Facts) { f.Listener.MediaLost = true }, YouMediaLost},
		"listener's path ended": {func(f *Facts) { f.Listener.Path.Sending = false }, YouMediaLost},
		"half open":             {func(f *Facts) { f.Out.Unconfirmed = 500 }, HalfOpen},
		"reports late only":     {func(f *Facts) { f.Out.Unconfirmed, f.Playback = 500, &Playback{Packets: &some, Lost: &none} }, OK},
		"nothing arrives":       {func(f *Facts) { f.Playback = &Playback{Over: time.Second, Packets: &none} }, HalfOpen},
		"loss down":             {func(f *Facts) { f.Listener.Path.LossDown = 0.5 }, LossyDown},
		"loss that is mended": {func(f *Facts) {
			f.Listener.Path.LossDown, f.Playback = 0.5, &Playback{Concealed: new(0.02), Packets: &some, Lost: &some}
		}, OK},
		"loss that is not":     {func(f *Facts) { f.Listener.Path.LossDown, f.Playback = 0.5, &Playback{Concealed: new(0.3)} }, LossyDown},
		"client counts losses": {func(f *Facts) { f.Playback = &Playback{Packets: &some, Lost: &some} }, LossyDown},
		"client makes it up":   {func(f *Facts) { f.Playback = &Playback{Concealed: new(0.8)} }, LossyDown},
		"blocked, by state":    {func(f *Facts) { f.Listener.Sound = "blocked" }, SoundBlocked},
		"blocked, by client":   {func(f *Facts) { f.Playback = &Playback{Sound: "blocked"} }, SoundBlocked},
		"well by now":          {func(f *Facts) { f.Listener.Sound, f.Playback = "blocked", &Playback{Sound: "ok"} }, OK},
		"loudspeaker lost":     {func(f *Facts) { f.Listener.Sound = "lost" }, SoundLost},
		"volume at 0":          {func(f *Facts) { f.Playback = &Playback{Volume: &zero} }, OutputMuted},
		"their volume at 0":    {func(f *Facts) { f.Playback = &Playback{PersonVolume: &zero} }, PersonMuted},
		"paused":               {func(f *Facts) { f.Playback = &Playback{Playing: &no} }, NotPlaying},
	} {
		f := sound()
		c.breaks(&f)
		require.Equal(t, c.want, Find(f), name)
		steps := Walk(f)
		for i, step := range steps {
			require.NotEmpty(t, step.Saw, "%s: %s", name, step.Link)
			require.Equal(t, i == len(steps)-1 && c.want != OK, step.Cause != OK, "%s: %s is said to be broken", name, step.Link)
		}
	}
}

// Of two that are broken the one nearer to the microphone is named.
func TestNearerComesFirst(t *testing.T) {
	t.Parallel()
	f := sound()
	f.Playback = &Playback{Volume: new(0.0)}
	want := OutputMuted
	for _, next := range []struct {
		breaks func()
		is     Cause
	}{
		{func() { f.Out.Unconfirmed = 500 }, HalfOpen},
		{func() { f.Listener.Path.Keyed = false }, YouNoDTLS},
		{func() { f.Listener.MediaLost = true }, YouMediaLost},
		{func() { f.Slot = false }, NotInSlots},
		{func() { f.Between = sure(); f.Between.Here.Up = false }, NodeLinkLost},
		{func() { f.Talker.Path.LossUp = 1 }, LossyUp},
		{func() { f.Talker.Path.Keyed = false }, NoDTLS},
		{func() { f.Talker.MediaLost = true }, MediaLost},
		{func() { f.Talker.SelfMute = true }, Muted},
		{func() { f.Talker.Microphone = false }, NoMicrophone},
		{func() { f.Talker.Channel = "" }, NotInChannel},
	} {
		require.Equal(t, want, Find(f))
		next.breaks()
		want = next.is
	}
	require.Equal(t, want, Find(f))
}

// PROTOCOL.md has every cause and no other, and each says what is wrong and what mends it.
func TestCausesAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../PROTOCOL.md")
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(page), "\n## Why somebody is not heard\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "**playback**")
	named := map[string]bool{}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]*) \\|").FindAllStringSubmatch(section, -1) {
		for _, word := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			named[word[1]] = true
		}
	}
	delete(named, "cause") // the head of the table
	known := make([]string, 0, len(All()))
	for _, cause := range All() {
		known = append(known, string(cause))
		require.NotEmpty(t, cause.Words().What, cause)
		require.NotEmpty(t, cause.Words().Mend, cause)
	}
	slices.Sort(known)
	require.Equal(t, known, slices.Sorted(maps.Keys(named)))
}

// The page has words of its own for every cause, in each of its languages.
func TestThePageHasWords(t *testing.T) {
	t.Parallel()
	languages, err := filepath.Glob("../../static/page/js/languages/*.js")
	require.NoError(t, err)
	require.NotEmpty(t, languages)
	for _, language := range languages {
		source, err := os.ReadFile(language)
		require.NoError(t, err)
		_, section, ok := strings.Cut(string(source), "\n    causes: {\n")
		require.True(t, ok, language)
		section, _, _ = strings.Cut(section, "\n    },\n")
		for _, cause := range All() {
			require.Regexp(t, "(?m)^      "+string(cause)+": \\[", section, language)
		}
	}
}
