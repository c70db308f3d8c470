# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of kvmdbg for bash: the program itself knows what may follow.
_kvmdbg ()
{
	local word=${COMP_WORDS[COMP_CWORD]} line=${COMP_LINE:0:COMP_POINT}
	local options="--session --timeout --json --color --version --help"

	COMPREPLY=()
	# The program's own name and options go; what is left is the command's line.
	line=${line#*[[:space:]]}
	while [[ $line =~ ^[[:space:]]*(--json|--color[=[:space:]]+[a-z]+|--timeout[=[:space:]]+[0-9]+|--session[=[:space:]]+[^[:space:]]+)[[:space:]]+(.*)$ ]]; do
		line=${BASH_REMATCH[2]}
	done
	line=${line#"${line%%[![:space:]]*}"}
	if [[ $line == -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
		return
	fi
	mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" --complete "$line" 2>/dev/null)
}
complete -o default -F _kvmdbg kvmdbg
