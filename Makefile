# `make test` is all that CI runs; `make help` lists the rest.

# What fails in a pipe is not to be hidden by what comes after it.
SHELL       := bash
.SHELLFLAGS := -o pipefail -c

GO       ?= go
FUZZTIME ?= 1m
BENCHTIME ?= 300ms
BENCHCOUNT ?= 6
ARGS     ?=

# Linter and formatter, built from source by the Go toolchain, so that no other download
# is needed. Kept in ./bin, and in Go's build cache, from which it comes back in seconds.
GOLANGCI_VERSION := v2.13.1
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

# `make bench`: what a forwarded packet goes through, and where its last figures are kept.
HOT_PATH  := ^Benchmark(Demux|Unmarshal|Rewrite|Protect|Unprotect|Forward|Fanout)$$
BASELINE  := sfu/bench-baseline.txt
BENCHSTAT := $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

# Checks the types of the page's modules, and makes the package of those that other pages may use.
TSC := static/node_modules/.bin/tsc

# Tests whose names begin with TestBrowser drive a headless Chromium, with TestFirefox a Firefox; those with Alloc in
# their names count allocations and skip themselves under the race detector.
BROWSER_TESTS := ^Test(Browser|Firefox)
ALLOC_TESTS   := Alloc

# $(call install,packages) installs packages of Debian.
SUDO    := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
install  = echo "installing Debian's $(1)" && $(SUDO) apt-get -q update && \
	$(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $(1)

.DEFAULT_GOAL := help

# One step after the other, since the tests measure time; only browsers are downloaded
# while the linter is built. The browser tests come last: their list ends the output.
.PHONY: test
test: ## everything below, as CI does it, in less than twenty minutes; installs what is missing
	@$(MAKE) --no-print-directory compiler
	@$(MAKE) --no-print-directory -j2 firefox $(GOLANGCI)
	@$(MAKE) --no-print-directory proxies promtool
	@$(MAKE) --no-print-directory check-format
	@$(MAKE) --no-print-directory vet
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(MAKE) --no-print-directory pack
	@LIVECHAT_REQUIRE_PROXIES=1 LIVECHAT_REQUIRE_PROMTOOL=1 $(MAKE) --no-print-directory race
	@$(MAKE) --no-print-directory allocs
	@$(MAKE) --no-print-directory browser

.PHONY: build
build: ## bin/livechat, which needs no library of the system
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/livechat ./cmd/livechat

# Where `make install` puts things; DESTDIR is in front of it for those who pack them.
PREFIX     ?= /usr/local
SHARE      := $(DESTDIR)$(PREFIX)/share
UNIT       := $(DESTDIR)$(PREFIX)/lib/systemd/system/livechat.service
INSTALLED  := $(DESTDIR)$(PREFIX)/bin/livechat $(UNIT) $(SHARE)/bash-completion/completions/livechat \
	$(SHARE)/zsh/site-functions/_livechat $(SHARE)/fish/vendor_completions.d/livechat.fish

.PHONY: install
install: ## what `make build` made, its manual, completion for bash, zsh and fish, and the unit, below PREFIX (/usr/local) in DESTDIR
	@test -x bin/livechat || { echo "there is no bin/livechat: make build" >&2; exit 1; }
	install -D -m 755 bin/livechat $(DESTDIR)$(PREFIX)/bin/livechat
	install -D -m 644 cmd/livechat/completion/livechat.bash $(SHARE)/bash-completion/completions/livechat
	install -D -m 644 cmd/livechat/completion/livechat.zsh $(SHARE)/zsh/site-functions/_livechat
	install -D -m 644 cmd/livechat/completion/livechat.fish $(SHARE)/fish/vendor_completions.d/livechat.fish
	install -D -m 644 cmd/livechat/livechat.service $(UNIT)
	sed -i 's|/usr/local/bin/|$(PREFIX)/bin/|' $(UNIT)
	umask 022 && bin/livechat man --dir=$(SHARE)/man/man1

.PHONY: uninstall
uninstall: ## what `make install` put there
	rm -f $(INSTALLED) $(SHARE)/man/man1/livechat.1 $(SHARE)/man/man1/livechat-*.1

# `make dist`: what is handed out. It is the same to the byte, wherever and whenever it is made of one commit, since nothing in it says where and when.
DIST         := bin/dist
VERSION      := $(shell sed -n 's/^const Version = "\(.*\)"/\1/p' cmd/app/app.go)
DIST_SYSTEMS ?= linux-amd64 linux-arm64 linux-armv7 darwin-amd64 darwin-arm64 windows-amd64
DIST_DEBS    ?= amd64 arm64 armhf
NFPM         := $(GO) run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.44.2
CYCLONEDX    := $(GO) run github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

.PHONY: dist
dist: ## static programs for Linux, macOS and Windows, Debian packages, what each is made of (SBOM, CycloneDX) and checksums, in bin/dist
	@rm -rf $(DIST) && mkdir -p $(DIST)
	@$(MAKE) --no-print-directory $(DIST_SYSTEMS:%=dist-%)
	@$(MAKE) --no-print-directory $(DIST_DEBS:%=dist-deb-%)
	@rm -rf $(DIST)/tree
	cd $(DIST) && sha256sum -- * > SHA256SUMS

# The version of a processor stands behind its name: armv7.
dist-%:
	CGO_ENABLED=0 GOOS=$(word 1,$(subst -, ,$*)) GOARCH=$(firstword $(subst v7, ,$(word 2,$(subst -, ,$*)))) GOARM=7 GOAMD64=v1 GOFLAGS= \
		$(GO) build -trimpath -buildvcs=true -ldflags='-s -w -buildid=' -o $(DIST)/livechat-$(VERSION)-$*$(if $(findstring windows,$*),.exe) ./cmd/livechat
	GOFLAGS= $(CYCLONEDX) bin -json -licenses -std -noserial -notimestamp -version v$(VERSION) \
		-output $(DIST)/livechat-$(VERSION)-$*.cdx.json $(DIST)/livechat-$(VERSION)-$*$(if $(findstring windows,$*),.exe)

# Everything but the program, as `make install` puts it; manuals are packed without the time.
.PHONY: dist-tree
dist-tree:
	@umask 022 && rm -rf $(DIST)/tree bin/dist-install && mkdir -p bin/dist-install/bin && cp Makefile bin/dist-install/ && ln -sfn ../../cmd bin/dist-install/cmd
	GOOS= GOARCH= GOFLAGS= CGO_ENABLED=0 $(GO) build -trimpath -o bin/dist-install/bin/livechat ./cmd/livechat
	@umask 022 && $(MAKE) --no-print-directory -C bin/dist-install install PREFIX=/usr DESTDIR=$(CURDIR)/$(DIST)/tree >/dev/null
	@rm $(DIST)/tree/usr/bin/livechat && rmdir $(DIST)/tree/usr/bin && gzip -9n $(DIST)/tree/usr/share/man/man1/*
	@umask 022 && mkdir -p $(DIST)/tree/usr/share/zsh/vendor-completions && mv $(DIST)/tree/usr/share/zsh/site-functions/_livechat $(DIST)/tree/usr/share/zsh/vendor-completions/
	@rmdir $(DIST)/tree/usr/share/zsh/site-functions && rm -rf bin/dist-install

dist-deb-%: dist-tree
	DEB_ARCH=$* VERSION=$(VERSION) TREE=$(DIST)/tree BINARY=$(DIST)/livechat-$(VERSION)-linux-$(subst armhf,armv7,$*) \
		SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
		$(NFPM) package -p deb -f cmd/livechat/package/nfpm.yaml -t $(DIST)/livechat_$(VERSION)_$*.deb

# The second time everything is compiled anew, in a directory of another name.
.PHONY: reproducible
reproducible: ## make dist of what is committed twice, in two places, and compare; takes half an hour, or less with DIST_SYSTEMS=linux-amd64 DIST_DEBS=amd64
	@rm -rf bin/reproducible && git clone -q . bin/reproducible/first && git clone -q . bin/reproducible/the-second-one
	$(MAKE) --no-print-directory -C bin/reproducible/first dist
	GOCACHE=$(CURDIR)/bin/reproducible/cache $(MAKE) --no-print-directory -C bin/reproducible/the-second-one dist
	diff bin/reproducible/*/$(DIST)/SHA256SUMS && cat bin/reproducible/first/$(DIST)/SHA256SUMS
	@rm -rf bin/reproducible/cache

.PHONY: run
run: ## the server on its defaults, or with ARGS="--http=:8080 …"
	$(GO) run ./cmd/livechat $(ARGS)

.PHONY: fmt
fmt: $(GOLANGCI) ## format every Go file (gofumpt, gci)
	$(GOLANGCI) fmt

.PHONY: check-format
check-format: $(GOLANGCI) ## fail when a Go file is not formatted, and show how it should be
	$(GOLANGCI) fmt --diff

.PHONY: vet
vet: ## go vet, and the types for systems that the tests do not run on
	$(GO) vet ./...
	$(GO) test ./e2e/elsewhere

.PHONY: lint
lint: $(GOLANGCI) ## golangci-lint, with the import rules
	$(GOLANGCI) run --allow-parallel-runners

.PHONY: types
types: $(TSC) ## the types of the page's modules, as their comments state them
	@for config in static/tsconfig*.json; do echo "$(TSC) -p $$config"; $(TSC) -p $$config || exit 1; done

.PHONY: pack
pack: $(TSC) ## the package for other pages, into bin, tried in an empty project
	node --test static/pack.test.mjs
	@mkdir -p bin
	cd static && npm pack --silent --pack-destination ../bin

.PHONY: race
race: ## all tests but the browser's, under the race detector
	LIVECHAT_SPREAD=4 $(GO) test -race -shuffle=on -count=1 -timeout 15m -skip '$(BROWSER_TESTS)' ./...

.PHONY: allocs
allocs: ## the tests that count allocations, without the race detector
	$(GO) test -count=1 -run '$(ALLOC_TESTS)' $$(grep -rlE '^func Test[A-Za-z0-9_]*$(ALLOC_TESTS)' --include='*_test.go' . | xargs -n 1 dirname | sort -u)

.PHONY: browser
browser: $(TSC) ## the browser tests, one line for each; fails when there is no Chromium
	LIVECHAT_REQUIRE_BROWSER=1 LIVECHAT_SPREAD=2 $(GO) test -v -count=1 -timeout 20m -run '$(BROWSER_TESTS)' ./e2e

.PHONY: bench
bench: bin/bench.txt ## the hot path's benchmarks beside the saved ones
	$(BENCHSTAT) $(BASELINE) bin/bench.txt

.PHONY: bench-save
bench-save: bin/bench.txt ## run them and save the result as what the next ones are compared with
	cp bin/bench.txt $(BASELINE)

.PHONY: bin/bench.txt
bin/bench.txt:
	@mkdir -p bin
	$(GO) test -run '^$$' -bench '$(HOT_PATH)' -benchmem -benchtime $(BENCHTIME) -count $(BENCHCOUNT) ./sfu/rtp ./sfu/forward ./sfu/wire | tee $@

.PHONY: chat
chat: ## how long reading, searching and writing take in a memory of a million messages; MESSAGES=20000 for fewer
	LIVECHAT_MESSAGES='$(or $(MESSAGES),1000000)' $(GO) test -timeout 30m -run '^$$' -bench '^BenchmarkChat$$' -benchtime 1000x ./signaling/store

.PHONY: impair
impair: ## the matrix of lossy networks, or with ONLY=100ms-RED+NACK a part; takes a quarter of an hour
	LIVECHAT_IMPAIR='$(or $(ONLY),all)' $(GO) test -v -count=1 -timeout 60m -parallel 100 -run '^TestImpairMatrix$$' ./e2e | grep -vE '^=== '

.PHONY: joins
joins: ## joins over a network that loses 30 % and takes 600 ms there and back; JOINS=500 for more
	LIVECHAT_JOINS='$(or $(JOINS),200)' $(GO) test -v -count=1 -timeout 60m -run '^TestImpairJoins$$' ./e2e

.PHONY: survive
survive: ## what calls make of cuts, blackouts, other networks, kills and restarts: its figures; takes a quarter of an hour
	LIVECHAT_SURVIVE=1 $(GO) test -v -count=1 -timeout 60m -run '^TestSurvive' ./e2e

.PHONY: failover
failover: ## kills the node on which people talk, twenty times: how long until they hear each other at another one (KILLS=100 for more), empties one with a hundred, restarts all, takes one's network away, kills and stops the one that decides who talks, and runs one whose clock is an hour off (the program is compiled anew for that)
	LIVECHAT_FAILOVERS='$(or $(KILLS),20)' $(GO) test -v -count=1 -timeout 45m -run '^TestFailover' ./e2e | grep -vE '^=== '

.PHONY: denoise
denoise: chromium ## RNNoise at work in a call: trying it, mute, another microphone, one that is lost, a reload
	LIVECHAT_DENOISE=1 $(GO) test -v -count=1 -timeout 10m -run '^TestBrowserDenoises$$' ./e2e

.PHONY: page-speed
page-speed: ## how long from a click until one hears, what thirty people, five of them talking, cost the page, and what is left of a day
	LIVECHAT_PAGE_SPEED=1 $(GO) test -v -count=1 -timeout 10m -run '^TestPage(Speed|Day)$$' ./e2e | grep -vE '^=== '

.PHONY: soak
soak: ## ten thousand come and go and ten thousand die, and nothing of them may stay; SOAK=1000 for fewer; takes ten minutes
	LIVECHAT_SOAK='$(or $(SOAK),10000)' $(GO) test -v -count=1 -timeout 60m -run '^TestSoak$$' ./e2e

.PHONY: hostile
hostile: ## attacks on a server with people on it: what they cost it and the others; takes ten minutes; ONLY=Junk for a part
	LIVECHAT_HOSTILE=1 $(GO) test -v -count=1 -timeout 30m -run '^TestHostile$(ONLY)' ./e2e | grep -vE '^=== '

.PHONY: crash
crash: ## kill a process that writes to the memory, two hundred times: what was acknowledged is there; KILLS=1000 for more
	LIVECHAT_CRASH='$(or $(KILLS),200)' $(GO) test -v -count=1 -timeout 20m -run '^TestKilledWhileWriting$$' ./signaling/store

.PHONY: cluster
cluster: ## kill nodes of three that write to their log, one at a time and a hundred times: nothing acknowledged is gone or twice, stop one until the log is past it, and take a NATS of three servers apart; KILLS=10 for fewer; takes ten minutes, or half an hour on a busy machine
	LIVECHAT_KILLS='$(or $(KILLS),100)' $(GO) test -v -count=1 -timeout 60m -run '^Test(KilledNodes|LogOnThreeNodes|FullDiskOfOneNode|MachineUnderAnotherName|MoreNodes|NATSComesApart|NodeThatTheLogWentPast)$$' ./signaling/cluster ./cmd/app

.PHONY: scale
scale: ## 50 nodes and 100,000 people, simulated: what they tell each other, who is carried where, and what limits first; SCALE=10x5000x250x1000 for other nodes x people x channels x in one of them
	LIVECHAT_SCALE='$(or $(SCALE),1)' $(GO) test -v -count=1 -timeout 30m -run '^TestScale$$' ./signaling/mirror | grep -vE '^=== '

# RNNoise for the page, as this npm package has it. Its files are in the repository, so that nothing is downloaded for a build.
RNNOISE := @sapphi-red/web-noise-suppressor@0.4.1

.PHONY: rnnoise
rnnoise: ## fetch the page's RNNoise from npm again, and look whether it is what it was (static/rnnoise.sums)
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && \
	npm pack --silent --pack-destination "$$dir" '$(RNNOISE)' >/dev/null && tar -xzf "$$dir"/*.tgz -C "$$dir" && \
	cp "$$dir/package/dist/rnnoise/workletProcessor.js" static/page/rnnoise/worklet.js && \
	cp "$$dir/package/dist/rnnoise.wasm" static/page/rnnoise/rnnoise.wasm && \
	cd static/page/rnnoise && sha256sum --check ../../rnnoise.sums

# Debian's packages for make interop, beside what the tests need; Node's are in e2e/interop/package.json.
INTEROP_PACKAGES := python3-aiortc python3-websockets python3-gi gir1.2-gst-plugins-bad-1.0 gstreamer1.0-plugins-base \
	gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-nice firefox-esr chromium

.PHONY: interop
interop: node ## other people's WebRTC stacks join a real server, are heard, hear, and are there while all are silent; installs them
	@missing=; for p in $(INTEROP_PACKAGES); do \
		dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; \
	done; [ -z "$$missing" ] || { $(call install,$$missing); }
	cd e2e/interop && npm ci --no-audit --no-fund --loglevel=error
	LIVECHAT_INTEROP=1 $(GO) test -v -count=1 -timeout 9m -run '^TestInterop' ./e2e/interop

.PHONY: recording
recording: ## have ffmpeg say whether the recording of half an hour is sound and keeps time; installs it; takes a minute
	@command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null || { $(call install,ffmpeg); }
	LIVECHAT_FFMPEG=1 $(GO) test -v -count=1 -timeout 10m -run '^TestRecordingByFFmpeg$$' ./cmd/talk

.PHONY: mouth-to-ear
mouth-to-ear: chromium ## how much later one is heard by the server than by a direct call of the same two browsers; LONG=10m for longer
	LIVECHAT_REQUIRE_BROWSER=1 LIVECHAT_MOUTH_TO_EAR='$(or $(LONG),60s)' $(GO) test -v -count=1 -timeout 60m -run '^TestMouthToEar$$' ./e2e

# Debian's packages for what the pictures show.
FONTS := fonts-noto-cjk fonts-noto-color-emoji

.PHONY: screenshots
screenshots: chromium ## pictures of all that the page can show, light and dark, desktop and phone, in each language, in bin/screenshots
	@missing=; for p in $(FONTS); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; [ -z "$$missing" ] || { $(call install,$$missing); }
	LIVECHAT_REQUIRE_BROWSER=1 LIVECHAT_SCREENSHOTS='$(CURDIR)/bin/screenshots' $(GO) test -v -count=1 -timeout 30m -run '^TestScreenshots$$' ./e2e

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME (1m)
	@grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . | sort | while IFS=: read -r file func; do \
		echo "$$(dirname "$$file") $${func#func }"; \
		$(GO) test -run '^$$' -fuzz "^$${func#func }\$$" -fuzztime $(FUZZTIME) "$$(dirname "$$file")" || exit 1; \
	done

.PHONY: compiler
compiler: ## install a C compiler when there is none: the race detector wants one
	@command -v "$$($(GO) env CC)" >/dev/null || { $(call install,gcc libc6-dev); }

.PHONY: chromium
chromium: ## install Chromium when there is neither it nor Chrome
	@for name in chromium chromium-browser google-chrome google-chrome-stable; do \
		command -v "$$name" >/dev/null && exit; \
	done; $(call install,chromium)

# One after the other, since apt-get does not wait for another.
.PHONY: firefox
firefox: chromium ## install Firefox, too, when there is none
	@for name in firefox-esr firefox; do \
		command -v "$$name" >/dev/null && exit; \
	done; $(call install,firefox-esr)

.PHONY: node
node: ## install Node and npm when they are missing
	@command -v node >/dev/null && command -v npm >/dev/null || { $(call install,nodejs npm); }

# The packages start a server of their own where there is systemd, which is not asked for.
.PHONY: proxies
proxies: ## install nginx and Caddy when they are missing: the recipes in README.md are tried with them
	@for name in nginx caddy; do \
		if command -v "$$name" >/dev/null || [ -x "/usr/sbin/$$name" ]; then continue; fi; \
		$(call install,"$$name"); \
		if command -v systemctl >/dev/null; then $(SUDO) systemctl disable --now "$$name" || true; fi; \
	done

.PHONY: promtool
promtool: ## install Prometheus when its promtool is missing: the alert rules and the dashboard are tried with it
	@command -v promtool >/dev/null || { $(call install,prometheus); \
		if command -v systemctl >/dev/null; then $(SUDO) systemctl disable --now prometheus || true; fi; }

.PHONY: clean
clean: ## remove what was built
	rm -rf bin

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z-]+):.* ## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS="$$(printf '\t')" read -r target text; do \
		printf '  make %-14s %s\n' "$$target" "$$text"; \
	done

$(TSC): static/package-lock.json
	@$(MAKE) --no-print-directory node
	cd static && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(GOLANGCI):
	@echo "building golangci-lint $(GOLANGCI_VERSION); the first time this takes a few minutes"
	GOBIN="$(CURDIR)/bin" $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/golangci-lint $@
