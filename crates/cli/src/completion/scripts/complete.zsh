#compdef kubectl-clusterbackup
# Completes `kubectl-clusterbackup …` in zsh.
_kubectl_clusterbackup() {
    local -a answer shown
    answer=("${(@f)$(kubectl-clusterbackup complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    local directive=$answer[-1]
    shown=("${(@)answer[1,-2]}")
    # A word, a colon and what explains it.
    shown=("${(@)shown//:/\\:}")
    shown=("${(@)shown/$'\t'/:}")
    (( $#shown )) && _describe -V value shown
    [[ $directive == :4 ]] || _files
}
compdef _kubectl_clusterbackup kubectl-clusterbackup
