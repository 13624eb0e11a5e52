package why

// Link is a part of the way of a voice.
type Link string

// The links, in the order of the way.
const (
	LinkPresence     Link = "presence"
	LinkMicrophone   Link = "microphone"
	LinkICE          Link = "ice"
	LinkDTLS         Link = "dtls"
	LinkGate         Link = "gate"
	LinkPacketsIn    Link = "packets_in"
	LinkNodes        Link = "nodes"
	LinkSelection    Link = "selection"
	LinkListenerICE  Link = "listener_ice"
	LinkListenerDTLS Link = "listener_dtls"
	LinkReports      Link = "reports"
	LinkPage         Link = "page"
	LinkVoice        Link = "voice"
)

// Side is whose a cause is.
type Side string

// The sides.
const (
	SideNone     Side = ""
	SideTalker   Side = "them"
	SideListener Side = "you"
	SideChannel  Side = "channel"
	SideServer   Side = "server"
)

// Cause is why somebody is not heard.
type Cause string

// The causes.
const (
	OK               Cause = "ok"
	Quiet            Cause = "quiet"
	Connecting       Cause = "connecting"
	Yourself         Cause = "yourself"
	NotHere          Cause = "not_here"
	NotInChannel     Cause = "not_in_channel"
	YouNotInChannel  Cause = "you_not_in_channel"
	OtherChannel     Cause = "other_channel"
	MediaFailed      Cause = "media_failed"
	YouMediaFailed   Cause = "you_media_failed"
	NoMicrophone     Cause = "no_microphone"
	MicSilent        Cause = "mic_silent"
	MicHeld          Cause = "mic_held"
	MicLost          Cause = "mic_lost"
	NoUDP            Cause = "no_udp"
	NoDTLS           Cause = "no_dtls"
	Muted            Cause = "muted"
	Deaf             Cause = "deaf"
	MutedByModerator Cause = "muted_by_moderator"
	Audience         Cause = "audience"
	FloorOther       Cause = "floor_other"
	FloorIdle        Cause = "floor_idle"
	MediaLost        Cause = "media_lost"
	NoPackets        Cause = "no_packets"
	LossyUp          Cause = "lossy_up"
	NodeGone         Cause = "node_gone"
	NodeLinkLost     Cause = "node_link_lost"
	NodeNotAsked     Cause = "node_not_asked"
	NodeLinkLossy    Cause = "node_link_lossy"
	YouDeaf          Cause = "you_deaf"
	Excluded         Cause = "excluded"
	NoSlots          Cause = "no_slots"
	NotInSlots       Cause = "not_in_slots"
	NotTuned         Cause = "not_tuned"
	YouNoUDP         Cause = "you_no_udp"
	YouNoDTLS        Cause = "you_no_dtls"
	YouMediaLost     Cause = "you_media_lost"
	HalfOpen         Cause = "half_open"
	LossyDown        Cause = "lossy_down"
	SoundBlocked     Cause = "sound_blocked"
	SoundLost        Cause = "sound_lost"
	OutputMuted      Cause = "output_muted"
	PersonMuted      Cause = "person_muted"
	NotPlaying       Cause = "not_playing"
)

// Words is what there is to say of a cause. "They" are who is not heard.
type Words struct {
	Side Side
	// What is wrong, and what mends it.
	What, Mend string
}

// Words returns what there is to say of a cause.
func (c Cause) Words() Words { return words()[c] }

// words are all causes there are, and what there is to say of them.
func words() map[Cause]Words {
	return map[Cause]Words{
		OK:               {SideNone, "Nothing is broken between them and the listener.", "Turn the volume of the device up, and look whether the right loudspeaker is chosen."},
		Quiet:            {SideNone, "Nothing is broken: they are silent just now.", "Have them say something, and ask again meanwhile."},
		Connecting:       {SideNone, "The connection is just being made.", "Wait some seconds, and ask again."},
		Yourself:         {SideNone, "Nobody hears themselves.", "Ask somebody else, or test the microphone in the settings."},
		NotHere:          {SideTalker, "They are not here.", "Wait until they come."},
		NotInChannel:     {SideTalker, "They are in no channel.", "Ask them to join the channel."},
		YouNotInChannel:  {SideListener, "The listener is in no channel.", "Join the channel in which they are."},
		OtherChannel:     {SideChannel, "They are in another channel.", "Join it, or listen in."},
		MediaFailed:      {SideTalker, "Their connection of voice failed, so that they are out of the channel.", "Have them join again; if that does not help, have them run \"livechat doctor\" or the page's connection test."},
		YouMediaFailed:   {SideListener, "The listener's connection of voice failed, so that they are out of the channel.", "Join again; if that does not help, run \"livechat doctor\" or the page's connection test."},
		NoMicrophone:     {SideTalker, "They joined without a microphone.", "Have them allow the page to use one, and join again."},
		MicSilent:        {SideTalker, "Their microphone gives nothing but silence: it is muted in their system, or by a key or a switch on it.", "Have them look at the mute key of their headset and at the sound settings of their system."},
		MicHeld:          {SideTalker, "Their system keeps the microphone for something else, such as a phone call.", "Have them end that."},
		MicLost:          {SideTalker, "Their microphone went away.", "Have them plug it in again, or choose another one."},
		NoUDP:            {SideTalker, "Nothing of their voice connection gets through to the server: their network blocks UDP.", "Have them try another network; the operator may offer TURN over TLS on port 443."},
		NoDTLS:           {SideTalker, "The server hears of them, but no keys could be agreed upon: something on the way lets STUN pass and drops DTLS.", "Have them try another network, or join again."},
		Muted:            {SideTalker, "They have muted themselves.", "Ask them to unmute."},
		Deaf:             {SideTalker, "They have made themselves deaf, and so mute.", "Ask them to hear again."},
		MutedByModerator: {SideTalker, "A moderator has muted them.", "Ask a moderator to unmute them."},
		Audience:         {SideChannel, "They are in the audience: not everybody may speak in this channel.", "Have them raise their hand; who moderates the channel may let them speak."},
		FloorOther:       {SideChannel, "One talks at a time here, and somebody else has the floor.", "Wait until it is their turn."},
		FloorIdle:        {SideChannel, "One talks at a time here, and they do not press the button.", "Have them hold the button while they talk."},
		MediaLost:        {SideTalker, "Nothing comes from them any more: their network is gone.", "Wait some seconds: their client looks for another path. Else have them join again."},
		NoPackets:        {SideTalker, "Their connection is fine, but no sound comes from their device.", "Have them choose the microphone anew, or join again."},
		LossyUp:          {SideTalker, "Much of what they say is lost on the way to the server.", "Have them come closer to the Wi-Fi, use a cable, or stop what else fills their uplink."},
		NodeGone:         {SideServer, "They are on another node of the server, which does not answer.", "Wait some seconds: their client goes on at another node by itself. The operator sees by \"livechat admin nodes\" which one is missing."},
		NodeLinkLost:     {SideServer, "They are on another node of the server, and no voice comes from there to the listener's.", "Wait: it is tried again all the while. The operator lets the media port (UDP) pass between the nodes."},
		NodeNotAsked:     {SideServer, "They are on another node of the server, which does not know yet that somebody here wants to hear them.", "Wait some seconds, and ask again; if that does not help, join again."},
		NodeLinkLossy:    {SideServer, "They are on another node of the server, and much of what they say is lost between the nodes.", "The operator looks at the network between the nodes: \"livechat admin nodes\" has what is lost."},
		YouDeaf:          {SideListener, "The listener is deaf.", "Switch hearing on again."},
		Excluded:         {SideListener, "The listener has chosen not to hear them.", "Take that back in their menu."},
		NoSlots:          {SideListener, "The listener's client can hear nobody: it asked for no slot.", "Join with slots; a page does so by itself."},
		NotInSlots:       {SideChannel, "Others speak louder, and one hears only so many at once.", "Pin them, to hear them in any case."},
		NotTuned:         {SideListener, "The listener listens to their channel, but hears another one just now.", "Give their channel priority, or join it."},
		YouNoUDP:         {SideListener, "Nothing of the listener's voice connection gets through to the server: the network blocks UDP.", "Try another network; the operator may offer TURN over TLS on port 443."},
		YouNoDTLS:        {SideListener, "The server hears of the listener, but no keys could be agreed upon: something on the way lets STUN pass and drops DTLS.", "Try another network, or join again."},
		YouMediaLost:     {SideListener, "The listener's voice connection is gone.", "Wait some seconds: the client looks for another path. Else join again."},
		HalfOpen:         {SideListener, "The server sends their voice, but nothing of it arrives at the listener: the path works in one direction only.", "Join again, or try another network; a firewall on the way drops what the server sends."},
		LossyDown:        {SideListener, "Much of what is sent to the listener is lost on the way.", "Come closer to the Wi-Fi, use a cable, or stop what else fills the downlink."},
		SoundBlocked:     {SideListener, "The listener's browser does not play sound before the first click.", "Click somewhere on the page."},
		SoundLost:        {SideListener, "The listener's loudspeaker went away.", "Plug it in again, or choose another one."},
		OutputMuted:      {SideListener, "The listener has turned the volume down to nothing.", "Turn it up."},
		PersonMuted:      {SideListener, "The listener has turned the volume of this person down to nothing.", "Turn it up in their menu."},
		NotPlaying:       {SideListener, "The listener's client has stopped playing.", "Click somewhere on the page, or reload it."},
	}
}

// All returns every cause there is, in no order.
func All() []Cause {
	all := make([]Cause, 0, len(words()))
	for cause := range words() {
		all = append(all, cause)
	}
	return all
}
