package main

import (
	"strings"

	"github.com/alecthomas/kong"
)

// pagesBelow are the pages of the commands below others, by all of their name. Where one does not say what the command does, what the list
// of commands says of it is enough.
func pagesBelow() map[string]page { //nolint:funlen // a table
	const who = "WHO is somebody's id, or the name of one who is here. Quote a name that has spaces.\n\n"
	return map[string]page{
		"admin status": {
			"Show how the server is: since when it runs, whether it lets people in, who is here, what it takes of the machine. What is wrong with it stands in lines that begin with TROUBLE.",
			`Examples:
  livechat admin status
      this machine's
  livechat admin status --json | jq -e '.trouble | length == 0'
      for a script: ends with 1 while something is wrong`,
		},
		"admin channels": {
			"Show the channels: id, how people talk there, who may enter and speak, how many are in each, whose it is.",
			`Examples:
  livechat admin channels
      all of them
  livechat admin channels --json | jq 'map(select(.member_count == 0)) | length'
      how many are empty`,
		},
		"admin channel": {
			"Show a channel, with who is in it, how their voice gets through, and, where one talks at a time, who has the floor.",
			`Examples:
  livechat admin channel lobby
      who is there`,
		},
		"admin users": {
			"Show who is here: their channel, address and state. Who is known and not here, \"livechat user list\" shows.",
			`Examples:
  livechat admin users
      everybody
  livechat admin users --json | jq -r '.[] | select(.connected | not) | .name'
      who has no connection just now`,
		},
		"admin user": {
			"Show somebody who is here: their client, address and channel, and how their voice gets through, either way.",
			who + `Examples:
  livechat admin user Ada
      by name
  livechat admin user user-01jd9zqk2w4m8x1b7c5v3n6t0r
      by id, where two have one name`,
		},
		"admin peers": {
			"Show the media connections: round trip, loss and jitter, either way, and how long nothing came.",
			`Examples:
  livechat admin peers
      whose network loses packets`,
		},
		"admin nodes": {
			"Show the nodes that are one server: those that are there, with how many people are on each, how much of its cores is in use, how far it has come with what all remember, and how long a message there and back takes; those that are awaited; and those that were refused, with the reason.",
			`Examples:
  livechat admin nodes
      as the node of this machine sees them
  livechat admin nodes --json | jq -e .quorum
      for a script: ends with 1 while too few are there`,
		},
		"admin why": {
			"Say why somebody does not hear somebody: go the way of the voice from one's microphone to the other's loudspeaker, and name the first link that is broken, and what mends it.",
			who + `Examples:
  livechat admin why Ada Ben
      Ada says that she does not hear Ben`,
		},
		"admin kick": {
			"Put somebody out of their channel. They may come back after a minute; to keep them out there is \"livechat admin ban\".",
			who + `Examples:
  livechat admin kick Ben --reason="The meeting is for members"
      he reads why, and so do those in the channel`,
		},
		"admin ban": {
			"Keep somebody out of the server: their session ends at once, and they do not come in again while the ban holds.",
			who + `A guest is another one for the asking, so that their device and address are kept out with them.

Examples:
  livechat admin ban Ben --for=24h --reason=shouting
      until tomorrow
  livechat admin ban guest-01jd9zqk2w4m8x1b7c5v3n6t0r
      for good`,
		},
		"admin unban": {
			"Let somebody in again.",
			`Examples:
  livechat admin unban Ben
      by id or name
  livechat admin unban ban-01jd9zr0c5x8m2k4v7b1n3q6te
      by the ban that "livechat ban list" shows`,
		},
		"admin mute": {
			"Let nobody hear somebody, in whatever channel, until it is undone.",
			who + `Examples:
  livechat admin mute Ben
      nobody hears him any more
  livechat admin mute Ben --off
      he is heard again`,
		},
		"admin move": {
			"Take somebody to another channel, while they talk.",
			who + `Examples:
  livechat admin move Ben ops
      to the channel whose id is ops; "livechat admin channels" shows the ids`,
		},
		"admin floor-revoke": {
			"Take the floor from who has it, in a channel where one talks at a time.",
			`Examples:
  livechat admin floor-revoke radio --reason="Somebody's button is stuck"
      whoever waits is next`,
		},
		"admin drain": {
			"Let nobody in any more, and ask everybody who is here to come back, as before a restart or behind a load balancer. Calls go on; /readyz says 503.",
			`Examples:
  livechat admin drain && livechat admin status
      nobody new comes
  livechat admin drain --off
      people are let in again`,
		},
		"admin log-level": {
			"Show what the server logs, or change it until it ends.",
			`Examples:
  livechat admin log-level
      what it is
  livechat admin log-level debug
      all that there is to know`,
		},
		"user list":     {"", "Examples:\n  livechat user list\n      their ids, names and roles, and when they were here last"},
		"user show":     {"Show all that is remembered of somebody.", "WHO is somebody's id, or their name.\n\nExamples:\n  livechat user show \"Ada L.\"\n      by name"},
		"user role":     {"Give somebody a role, which holds at once, also where they are already.", "Examples:\n  livechat user role \"Ada L.\" moderator\n      who may invite people, and delete what others wrote"},
		"user rename":   {"Give somebody another name, which the others see when they come the next time.", "Examples:\n  livechat user rename Ada \"Ada Lovelace\"\n      the old name is free"},
		"user login":    {"Print a link that signs one browser in as somebody, once, within a day: for who lost a browser, or was signed out.", "Examples:\n  livechat user login Ada --url=https://voice.example.org\n      for a server behind a proxy"},
		"user logout":   {"Sign somebody out everywhere: their sessions end at once. \"livechat user login\" lets them in again.", "Examples:\n  livechat user logout Ada\n      whose telephone was stolen"},
		"user uninvite": {"", "Examples:\n  livechat user uninvite Ada ops\n      no more into the channel whose id is ops"},
		"user delete":   {"Forget somebody. Say what becomes of what they wrote.", "Examples:\n  livechat user delete Ada --keep-messages\n      her messages stay, without her name\n  livechat user delete Ada --erase\n      nothing stays"},
		"ban list":      {"Show who is kept out, until when, by whom and why.", "Examples:\n  livechat ban list\n      with the ids by which they are lifted"},
		"ban add": {
			"Keep somebody out of the server. Who is here is put out at once.",
			`WHO is somebody's id, or, of those who are known, their name. A guest is another one for the asking: while they are here, their device and address are kept out with them.

Examples:
  livechat ban add guest-01jd9zqk2w4m8x1b7c5v3n6t0r --for=24h --reason=shouting
      until tomorrow
  livechat ban add "Ada L."
      for good`,
		},
		"ban lift":      {"", "Examples:\n  livechat ban lift ban-01jd9zr0c5x8m2k4v7b1n3q6te\n      by the id that \"livechat ban list\" shows"},
		"invite create": {"Make an invite, and print its link, which is all that goes to standard output. \"livechat invite\" is the same.", "Examples:\n  livechat invite create --channel=ops --uses=5 --ttl=30d\n      for five people, to the channel ops"},
		"invite list":   {"Show the invites that there are, and how often each was used. Their links were shown once, when they were made.", "Examples:\n  livechat invite list --json | jq -r '.[] | select(.used==0).invite_id'\n      those that nobody has used"},
		"invite revoke": {"Make an invite good for nothing. Who came by it stays.", "Examples:\n  livechat invite revoke b3f1c09a4e7d2258\n      by the id that \"livechat invite list\" shows"},
	}
}

// pageBelow is a command's that is below another.
func pageBelow(command *kong.Node) page {
	name := pathOf(command)
	about := pagesBelow()[name]
	if about.does == "" {
		about.does = command.Help
	}
	about.does = wrapAll(about.does + "\n\nUsage: livechat " + name + usage(command))
	return about
}

// pathOf is all of a command's name.
func pathOf(command *kong.Node) string {
	if command.Parent != nil && command.Parent.Type == kong.CommandNode {
		return pathOf(command.Parent) + " " + command.Name
	}
	return command.Name
}

// usage is what stands behind a command's name.
func usage(command *kong.Node) string {
	var line strings.Builder
	for _, argument := range command.Positional {
		name := strings.ToUpper(argument.Name)
		if !argument.Required {
			name = "[" + name + "]"
		}
		line.WriteString(" " + name)
	}
	choices := []string{}
	for _, flag := range command.Flags {
		if flag.Required {
			choices = append(choices, flagLabel(flag))
		}
	}
	if len(choices) > 0 {
		line.WriteString(" " + strings.Join(choices, "|"))
	}
	return line.String() + " [flags]"
}
