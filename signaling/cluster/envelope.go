package cluster

import (
	"errors"
	"fmt"
)

// What nodes send has who sent it in front, and a request its subject: each a byte of length and then text.
//
//	message: name, boot, data          request: name, boot, subject, data
//
// An answer begins with a byte that says which it is.
const (
	answerData byte = iota
	answerError
	answerNone // the node answers nothing on this subject
	answerGone // the node does not know who asks
)

var errEnvelope = errors.New("cluster: what a node sent cannot be read")

func envelope(data []byte, texts ...string) []byte {
	size := len(data)
	for _, s := range texts {
		size += 1 + len(s)
	}
	e := make([]byte, 0, size)
	for _, s := range texts {
		e = append(append(e, byte(len(s))), s...) //nolint:gosec // names and subjects are shorter
	}
	return append(e, data...)
}

// text takes one text off what a node sent.
func text(e []byte) (s string, rest []byte, err error) {
	if len(e) == 0 || len(e) < 1+int(e[0]) {
		return "", nil, errEnvelope
	}
	n := 1 + int(e[0])
	return string(e[1:n]), e[n:], nil
}

// opened returns who sent a message, and what.
func opened(e []byte) (from NodeID, data []byte, err error) {
	if from.Name, e, err = text(e); err != nil {
		return NodeID{}, nil, err
	}
	from.Boot, data, err = text(e)
	return from, data, err
}

// sealAnswer and openAnswer carry what a handle returned.
func sealAnswer(data []byte, err error) []byte {
	kind := answerData
	switch {
	case errors.Is(err, ErrNoAnswer):
		kind, data = answerNone, nil
	case errors.Is(err, ErrGone):
		kind, data = answerGone, nil
	case err != nil:
		kind, data = answerError, []byte(err.Error())
	}
	return append([]byte{kind}, data...)
}

func openAnswer(e []byte) ([]byte, error) {
	if len(e) == 0 {
		return nil, errEnvelope
	}
	switch kind, data := e[0], e[1:]; kind {
	case answerData:
		return data, nil
	case answerError:
		return nil, &AnswerError{string(data)}
	case answerNone:
		return nil, ErrNoAnswer
	case answerGone:
		return nil, ErrGone
	default:
		return nil, fmt.Errorf("%w: an answer of kind %d", errEnvelope, kind)
	}
}
