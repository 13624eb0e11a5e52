# Completion of livechat for fish: the program says itself what may come next.
function __livechat_complete
    set -l words (commandline -opc)
    set -l token (commandline -ct)
    set -l prefix (string match -r -- '^--[^=]*=' $token)
    for answer in ($words[1] __complete $words[2..-1] "$token" 2>/dev/null)
        switch $answer
            case :files
                for path in (__fish_complete_path (string replace -r -- '^--[^=]*=' '' "$token"))
                    echo -- $prefix$path
                end
            case :dirs
                for path in (__fish_complete_directories (string replace -r -- '^--[^=]*=' '' "$token"))
                    echo -- $prefix$path
                end
            case '*'
                echo -- $answer
        end
    end
end
complete -c livechat -f -a '(__livechat_complete)'
