#compdef livechat
# Completion of livechat for zsh: the program says itself what may come next.
_livechat() {
    local -a answers spaced open
    local answer word
    answers=("${(@f)$("${(Q)words[1]}" __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
    for answer in $answers; do
        word=${answer%%$'\t'*}
        case $word in
            :files) compset -P '--*='; _files ;;
            :dirs) compset -P '--*='; _files -/ ;;
            *=) open+=("${word//:/\\:}:${answer#*$'\t'}") ;;
            ?*) spaced+=("${word//:/\\:}:${answer#*$'\t'}") ;;
        esac
    done
    (( $#spaced )) && _describe -t words livechat spaced
    (( $#open )) && _describe -t flags livechat open -S ''
    return 0
}
if [[ $funcstack[1] == _livechat ]]; then
    _livechat "$@"
else
    compdef _livechat livechat
fi
