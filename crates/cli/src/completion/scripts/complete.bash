# Completes `kubectl-clusterbackup …` in bash.
_kubectl_clusterbackup() {
    local answer=() last
    mapfile -t answer < <(kubectl-clusterbackup complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
    last=$((${#answer[@]} - 1))
    ((last >= 0)) || return
    [ "${answer[last]}" = :4 ] || compopt -o default 2>/dev/null
    COMPREPLY=("${answer[@]:0:last}")
    # What is behind the tab explains.
    COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
}
complete -o nosort -F _kubectl_clusterbackup kubectl-clusterbackup
