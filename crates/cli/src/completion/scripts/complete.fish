# Completes `kubectl-clusterbackup …` in fish.
function __kubectl_clusterbackup
    set -l words (commandline --tokenize --current-process --cut-at-cursor) (commandline --current-token --cut-at-cursor)
    set -l answer (kubectl-clusterbackup complete -- $words[2..] 2>/dev/null)
    if test (count $answer) -gt 1
        printf '%s\n' $answer[1..-2]
    end
    if test "$answer[-1]" != :4
        __fish_complete_path (commandline --current-token --cut-at-cursor)
    end
end
complete --command kubectl-clusterbackup --no-files --keep-order --arguments '(__kubectl_clusterbackup)'
