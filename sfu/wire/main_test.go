package wire

import (
	"testing"

	"github.com/mini-livechat/mini-livechat/sfu/leaktest"
)

func TestMain(m *testing.M) { leaktest.Main(m) }
