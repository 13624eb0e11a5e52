# Completion of livechat for bash: the program says itself what may come next.
_livechat() {
    local words=() word glued= cur value answer
    # bash takes words apart at = and :, where the program does not.
    for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
        if [[ ${#words[@]} -gt 0 && ( $word == [=:]* || -n $glued ) ]]; then
            words[${#words[@]}-1]+=$word
        else
            words+=("$word")
        fi
        glued=
        [[ $word == [=:] ]] && glued=1
    done
    cur=${words[${#words[@]}-1]}
    value=$cur
    [[ $cur == -*=* ]] && value=${cur#*=}
    COMPREPLY=()
    while IFS=$'\t' read -r word _; do
        case $word in
            :files | :dirs)
                local kind=-f
                [[ $word == :dirs ]] && kind=-d
                compopt -o filenames 2>/dev/null
                while IFS= read -r answer; do COMPREPLY+=("$answer"); done < <(compgen $kind -- "$value")
                ;;
            *)
                [[ $cur == -*=* && $COMP_WORDBREAKS == *=* ]] && word=${word#*=}
                COMPREPLY+=("$word")
                ;;
        esac
    done < <("${COMP_WORDS[0]/#\~/$HOME}" __complete "${words[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
    return 0
}
complete -F _livechat livechat
