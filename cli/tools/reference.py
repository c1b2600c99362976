#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the manual pages, docs/cli.md and the completion scripts from what the program says itself.

usage: reference.py PROGRAM [--check]

PROGRAM is a built `particle`. With --check nothing is written: files that differ are named and the
exit code is 1. Run it after every change of a verb, an option or a help text.
"""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMES = {"POOL": "pools", "TENANT": "tenants", "HOLDER": "holders", "DESIGN": "designs"}

# Verbs that run what follows `--` and end with its status.
RUN_COMMANDS = ("exec", "run", "trace")
# Those, and the one whose status says how many of its commands ended well.
TAKE_COMMANDS = RUN_COMMANDS + ("fleet-run",)

# `bench report` is another spelling of bench-report.
PARTS = {"bench": ("list", "report", "compare"), "fleet": ("run", "pipeline", "agent", "ps", "logs", "kill", "nodes")}

ENVIRONMENT = [
    ("PARTICLE_RUN_DIR", "The run directory where `--run-dir` is not given."),
    ("NO_COLOR", "When set and not empty: no colours."),
]
TEST_ENVIRONMENT = [
    ("PARTICLE_CRASH_AFTER_STEP=N", "Kill the process (SIGKILL) after step N of create-pool, "
     "resize-pool or delete-pool. `--dry-run` shows the numbers."),
    ("PARTICLE_STOP_AFTER_STEP=N", "Send the process SIGINT after step N: it rolls back and exits with 130."),
]


# ---- what the description says ---------------------------------------------------------------

def choices(option):
    value = option["value"] or ""
    return value.split("|") if "|" in value else []


def flags(options):
    return [o for o in options if not o["positional"]]


def positionals(options):
    return [o for o in options if o["positional"]]


def long_names(options):
    return [name for o in flags(options) for name in o["names"] if name.startswith("--")]


def heading(option):
    if option["positional"]:
        return option["positional"]
    return ", ".join(option["names"]) + (" " + option["value"] if option["value"] else "")


def synopses(verb):
    return [f"particle {verb['name']} {line}".rstrip() for line in verb["synopsis"].split("\n")]


# ---- manual pages ----------------------------------------------------------------------------

def roff(text):
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text)
    return "\n".join("\\&" + line if line.startswith(".") else line for line in text.split("\n"))


def roff_options(options):
    out = ""
    for option in options:
        names = option["positional"] or ", ".join(option["names"])
        value = f" \\fI{roff(option['value'])}\\fR" if option["value"] and not option["positional"] else ""
        out += f".TP\n\\fB{roff(names)}\\fR{value}\n{roff(option['help'])}\n"
    return out


def roff_exit_codes(codes):
    return "".join(f".TP\n\\fB{c['code']}\\fR\n{roff(c['meaning'][0].upper() + c['meaning'][1:])}\n" for c in codes)


def roff_definitions(pairs):
    return "".join(f".TP\n\\fB{roff(name)}\\fR\n{roff(text)}\n" for name, text in pairs)


def roff_header(title, version, name, summary):
    return (".\\\" SPDX-License-Identifier: Apache-2.0\n"
            ".\\\" Written by cli/tools/reference.py from what --help says.\n"
            f".TH {title} 1 \"\" \"particle {version}\" \"Particle\"\n"
            f".SH NAME\n{roff(name)} \\- {roff(summary)}\n")


def verb_page(description, verb):
    name = "particle-" + verb["name"]
    page = roff_header(name.upper(), description["version"], name, verb["summary"])
    page += ".SH SYNOPSIS\n" + "\n.br\n".join(f"\\fB{roff(line)}\\fR" for line in synopses(verb)) + "\n"
    page += ".SH DESCRIPTION\n" + roff(verb["description"]).replace("\n\n", "\n.PP\n") + "\n"
    options = [o for o in verb["options"] if "--help" not in o["names"]]
    if options:
        page += ".SH OPTIONS\n" + roff_options(options)
    page += ".SH GLOBAL OPTIONS\n" + roff_options(description["global_options"])
    page += ".SH EXAMPLES\n.nf\n" + roff(verb["examples"]) + ".fi\n"
    page += ".SH EXIT STATUS\nSee \\fBparticle\\fR(1).\n" if verb["name"] not in RUN_COMMANDS else (
        ".SH EXIT STATUS\nThat of the command; 126 when it cannot be run, 127 when there is none;\n"
        "otherwise as in \\fBparticle\\fR(1).\n")
    page += ".SH SEE ALSO\n\\fBparticle\\fR(1)\n"
    return page


def main_page(description):
    page = roff_header("PARTICLE", description["version"], "particle",
                       "pools of container endpoints that share one network namespace per tenant")
    page += ".SH SYNOPSIS\n\\fBparticle\\fR [\\fIGLOBAL OPTIONS\\fR] \\fIVERB\\fR [\\fIOPTIONS\\fR]\n"
    page += (".SH DESCRIPTION\nParticle gives each tenant one network namespace per node and a pool of\n"
             "addresses in it: the containers of a tenant share the namespace, each with its own\n"
             "routable IP. The node is the network namespace that the command runs in.\n")
    group = None
    page += ".SH VERBS\n"
    for verb in description["verbs"]:
        if verb["group"] != group:
            group = verb["group"]
            page += f".SS {roff(group)}\n"
        page += f".TP\n\\fB{roff(verb['name'])}\\fR\n{roff(verb['summary'])}.\n"
    page += ".SH GLOBAL OPTIONS\nThey may stand before or after the verb.\n"
    page += roff_options(description["global_options"])
    page += ".SH EXIT STATUS\n" + roff_exit_codes(description["exit_codes"])
    page += ".SH ENVIRONMENT\n" + roff_definitions(ENVIRONMENT)
    page += ".SH FILES\n.TP\n\\fB/run/particle\\fR\nThe run directory: records, leases and pinned namespaces.\n"
    first = next(v for v in description["verbs"] if v["name"] == "create-pool")
    page += ".SH EXAMPLES\n.nf\n" + roff(first["examples"]) + ".fi\n"
    page += ".SH SEE ALSO\n" + ", ".join(
        f"\\fBparticle\\-{roff(v['name'])}\\fR(1)" for v in description["verbs"]) + "\n"
    return page


# ---- docs/cli.md -----------------------------------------------------------------------------

def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def anchor(name):
    return name.lower()


def markdown(description):
    out = ("# The command line\n\n"
           "<!-- Written by cli/tools/reference.py from what --help says; change the help texts instead. -->\n\n"
           "`particle VERB --help` says the same. The node is the network namespace that the command runs in.\n\n")
    out += "| verb | what it does |\n| --- | --- |\n"
    for verb in description["verbs"]:
        out += f"| [`{verb['name']}`](#{anchor(verb['name'])}) | {cell(verb['summary'])} |\n"
    out += "\n## Global options\n\nThey may stand before or after the verb.\n\n| option | |\n| --- | --- |\n"
    for option in description["global_options"]:
        out += f"| `{cell(heading(option))}` | {cell(option['help'])} |\n"
    out += ("\n## Exit codes\n\nScripts may rely on them. `exec`, `run` and `trace` return the status of the command they ran.\n\n"
            "| code | meaning |\n| --- | --- |\n")
    for code in description["exit_codes"]:
        out += f"| {code['code']} | {cell(code['meaning'])} |\n"
    out += ("\n## Output and errors\n\n"
            "Results go to stdout, everything else to stderr. With `--json` every verb prints one JSON document on\n"
            "stdout; `docs/JSON.md` describes each of them. Colours appear on a terminal only. What lasts longer than a\n"
            "second draws a progress bar when stderr is a terminal.\n\n"
            "An error is one line, then what there is to add, then what to do:\n\n"
            "```\n"
            "particle: create-pool web: 2 problems with the arguments: invalid argument\n"
            "  --vni 0: a VNI is a number from 1 to 16777215\n"
            "  --prefix 10.1.0.5/24: host bits are set; the network is 10.1.0.0/24\n"
            "hint: nothing was changed; correct them all and try again\n"
            "```\n\n"
            "With `--json` it is `{\"error\": {\"kind\": ..., \"message\": ..., ...}}` on stdout; the exit code is the same.\n"
            "Ctrl-C rolls back what a create, resize or delete has done so far (exit code 130); a second one kills, and\n"
            "`particle gc` or the same command again puts things right.\n")
    out += "\n## Environment\n\n| variable | |\n| --- | --- |\n"
    for name, text in ENVIRONMENT:
        out += f"| `{name}` | {cell(text)} |\n"
    out += "\nFor tests of crash safety:\n\n| variable | |\n| --- | --- |\n"
    for name, text in TEST_ENVIRONMENT:
        out += f"| `{name}` | {cell(text)} |\n"
    for verb in description["verbs"]:
        out += f"\n## {verb['name']}\n\n```\n" + "\n".join(synopses(verb)) + "\n```\n\n"
        out += verb["description"] + "\n"
        options = [o for o in verb["options"] if "--help" not in o["names"]]
        if options:
            out += "\n| option | |\n| --- | --- |\n"
            for option in options:
                out += f"| `{cell(heading(option))}` | {cell(option['help'])} |\n"
        out += "\n```sh\n" + verb["examples"] + "```\n"
    return out


# ---- completion: bash --------------------------------------------------------------------------

def bash_value(option):
    value = option["value"]
    if choices(option):
        return f"_particle_words '{' '.join(choices(option))}'"
    if value in NAMES:
        return f"_particle_names {NAMES[value]}"
    return {"FILE": "_particle_files", "DIR": "_particle_directories", "DEV": "_particle_devices"}.get(value)


def bash_case(verb, globals_):
    out = f"    {verb['name']})\n      options='{' '.join(long_names(verb['options'] + globals_))}'\n      case $previous in\n"
    for option in flags(verb["options"]):
        if option["value"]:
            action = bash_value(option) or ":"
            out += f"        {'|'.join(option['names'])}) {action}; return ;;\n"
    out += "      esac\n"
    for number, option in enumerate(positionals(verb["options"])):
        action = bash_value(option)
        if action:
            out += f"      [[ $current != -* ]] && ((positionals == {number})) && {{ {action}; return; }}\n"
    if verb["name"] in PARTS:
        out += (f"      [[ $previous == {verb['name']} && $current != -* ]] && "
                f"{{ _particle_words '{' '.join(PARTS[verb['name']])}'; return; }}\n")
    return out + "      ;;\n"


BASH = r"""# SPDX-License-Identifier: Apache-2.0
# bash completion for particle. Written by cli/tools/reference.py.

_particle_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current"); }
_particle_names() {
  local -a where=()
  [[ -n $run_dir ]] && where=(--run-dir "$run_dir")
  _particle_words "$("${COMP_WORDS[0]/#\~/$HOME}" "${where[@]}" __list "$1" 2>/dev/null)"
}
_particle_files() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$current"); }
_particle_directories() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$current"); }
_particle_devices() { _particle_words "$(command ls /sys/class/net 2>/dev/null)"; }
_particle_command() {
  if declare -F _command_offset >/dev/null; then
    _command_offset "$1"
  elif ((COMP_CWORD == $1)); then
    mapfile -t COMPREPLY < <(compgen -c -- "$current")
  else
    _particle_files
  fi
}

_particle() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local verb='' run_dir=${PARTICLE_RUN_DIR-} options='@GLOBALS@' positionals=0 i word
  COMPREPLY=()
  # bash splits --mode=any into three words.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    case $word in
      --) [[ $verb == @(exec|run|trace|fleet-run) ]] && { _particle_command $((i + 1)); return; } ;;
      @VALUED@)
        [[ ${COMP_WORDS[i + 1]-} == '=' ]] && ((i++))
        ((i++))
        [[ $word == --run-dir ]] && ((i < COMP_CWORD)) && run_dir=${COMP_WORDS[i]}
        ;;
      -*) ;;
      *)
        if [[ -z $verb ]]; then
          verb=$word
@PARTS@        else
          ((positionals++))
        fi
        ;;
    esac
  done
  [[ $previous == --run-dir ]] && { _particle_directories; return; }
  case $verb in
    '') [[ $current != -* ]] && { _particle_words '@VERBS@'; return; } ;;
    help) ((positionals == 0)) && { _particle_words '@VERBS@'; return; } ;;
@CASES@  esac
  [[ $current == -* ]] && _particle_words "$options"
}
complete -F _particle particle
"""


def bash_parts(description):
    """The words that are no verbs by themselves: `fleet` of `fleet run`."""
    verbs = {v["name"] for v in description["verbs"]}
    return "".join(f"    {name}) [[ $current != -* ]] && {{ _particle_words '{' '.join(parts)}'; return; }} ;;\n"
                   for name, parts in PARTS.items() if name not in verbs)


def bash_script(description):
    globals_ = description["global_options"]
    valued = sorted({n for v in description["verbs"] for o in flags(v["options"]) if o["value"] for n in o["names"]}
                    | {"--run-dir"})
    parts = "".join(
        f"        elif [[ ${{COMP_WORDS[i - 1]}} == {verb} && $verb == {verb} && $word == @({'|'.join(words)}) ]]; then\n"
        "          verb+=-$word\n" for verb, words in PARTS.items())
    return (BASH.replace("@PARTS@", parts).replace("@GLOBALS@", " ".join(long_names(globals_) + ["--help", "--version"]))
            .replace("@VALUED@", "|".join(valued))
            .replace("@VERBS@", " ".join(v["name"] for v in description["verbs"]))
            .replace("@CASES@", "".join(bash_case(v, globals_) for v in description["verbs"]) + bash_parts(description)))


# ---- completion: zsh ---------------------------------------------------------------------------

def zsh_quote(text):
    return text.replace("'", "'\\''").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def zsh_action(option):
    value = option["value"]
    if choices(option):
        return f"({' '.join(choices(option))})"
    if value in NAMES:
        return f"_particle_names {NAMES[value]}"
    return {"FILE": "_files", "DIR": "_files -/", "DEV": "_net_interfaces"}.get(value, "")


def zsh_specs(options):
    specs = []
    for option in flags(options):
        for name in option["names"]:
            star = "*" if option["repeated"] else ""
            value = f":{zsh_quote(option['value'])}:{zsh_action(option)}" if option["value"] else ""
            specs.append(f"'{star}{name}[{zsh_quote(option['help'])}]{value}'")
    for number, option in enumerate(positionals(options), 1):
        specs.append(f"'{number}:{zsh_quote(option['positional'])}:{zsh_action(option)}'")
    return specs


ZSH = r"""#compdef particle
# SPDX-License-Identifier: Apache-2.0
# zsh completion for particle. Written by cli/tools/reference.py.

_particle_names() {
  local -a names where
  [[ -n ${opt_args[--run-dir]-} ]] && where=(--run-dir ${(Q)opt_args[--run-dir]})
  names=(${(f)"$(_call_program names ${(q)particle_program} ${(q)where} __list $1 2>/dev/null)"})
  compadd -a "$@[2,-1]" names
}

_particle_command() {
  local -i dashes=${words[(i)--]}
  ((dashes < CURRENT)) && { words=("${(@)words[dashes + 1,-1]}"); ((CURRENT -= dashes)); }
  _normal
}

_particle() {
  local curcontext=$curcontext state line particle_program=${(Q)words[1]}
  typeset -A opt_args
  local -a globals=(
    @GLOBALS@
  )
  local -a verbs=(
    @VERBS@
  )
  _arguments -C $globals '(-V --version)'{-V,--version}'[Print the version and exit]' \
    '1:verb:->verb' '*::argument:->arguments' && return
  case $state in
    verb) _describe verb verbs ;;
    arguments)
@PARTS@      case $words[1] in
        help) _describe verb verbs ;;
@CASES@      esac
      ;;
  esac
}

# Autoloaded from $fpath, or sourced.
if [[ ${funcstack[1]} == _particle ]]; then
  _particle "$@"
else
  compdef _particle particle
fi
"""


def zsh_script(description):
    cases = ""
    for verb in description["verbs"]:
        specs = zsh_specs(verb["options"])
        ignore_dashes = ""
        if verb["name"] in PARTS:
            specs.append(f"'1:part:({' '.join(PARTS[verb['name']])})'")
        if verb["name"] in TAKE_COMMANDS:
            ignore_dashes = "-S "
            specs.append("'*:: :_particle_command'")
        cases += f"        {verb['name']})\n          _arguments {ignore_dashes}$globals \\\n            " + \
            " \\\n            ".join(specs) + " ;;\n"
    for name, parts in PARTS.items():
        if name not in {v["name"] for v in description["verbs"]}:
            cases += f"        {name})\n          _arguments $globals '1:part:({' '.join(parts)})' ;;\n"
    verbs = "\n    ".join(f"'{v['name']}:{zsh_quote(v['summary'])}'" for v in description["verbs"])
    parts = "".join(
        f"      if ((CURRENT > 2)) && [[ $words[1] == {verb} && $words[2] == ({'|'.join(names)}) ]]; then\n"
        f"        words=({verb}-$words[2] \"${{(@)words[3,-1]}}\"); ((CURRENT--))\n"
        "      fi\n" for verb, names in PARTS.items())
    return (ZSH.replace("@PARTS@", parts).replace("@GLOBALS@", "\n    ".join(zsh_specs(description["global_options"])))
            .replace("@VERBS@", verbs).replace("@CASES@", cases))


# ---- completion: fish --------------------------------------------------------------------------

def fish_quote(text):
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def fish_value(option):
    value = option["value"]
    if choices(option):
        return f" -x -a {fish_quote(' '.join(choices(option)))}"
    if value in NAMES:
        return f" -x -a '(__particle_names {NAMES[value]})'"
    return {"FILE": " -r -F", "DIR": " -x -a '(__fish_complete_directories)'",
            "DEV": " -x -a '(command ls /sys/class/net 2>/dev/null)'"}.get(value, " -x")


def fish_option(option, condition):
    names = "".join(f" -l {n[2:]}" if n.startswith("--") else f" -s {n[1:]}" for n in option["names"])
    value = fish_value(option) if option["value"] else ""
    return f"complete -c particle{condition}{names}{value} -d {fish_quote(option['help'])}\n"


FISH = r"""# SPDX-License-Identifier: Apache-2.0
# fish completion for particle. Written by cli/tools/reference.py.

function __particle_words
    # The words before the cursor without the program, global options and their values.
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if test "$word" = --run-dir
            set skip 1
        else if not string match -q -- '-*' $word
            echo $word
        end
    end
end

function __particle_needs_verb
    test (count (__particle_words)) = 0
end

function __particle_verb
    set -l words (__particle_words)
@PARTS@    test (count $words) -gt 0; and contains -- $words[1] $argv
end

function __particle_names
    set -l words (commandline -opc)
    set -l where
    set -l at (contains -i -- --run-dir $words)
    and set where --run-dir $words[(math $at + 1)]
    command $words[1] $where __list $argv[1] 2>/dev/null
end

complete -c particle -f
"""


def fish_script(description):
    parts = "".join(
        f"    if test (count $words) -gt 1; and test $words[1] = {verb}; and contains -- $words[2] {' '.join(names)}\n"
        f"        set words {verb}-$words[2]\n"
        "    end\n" for verb, names in PARTS.items())
    out = FISH.replace("@PARTS@", parts)
    for option in description["global_options"]:
        out += fish_option(option, "")
    out += "complete -c particle -s h -l help -d 'Show help and exit'\n"
    out += "complete -c particle -n __particle_needs_verb -s V -l version -d 'Print the version and exit'\n\n"
    for verb in description["verbs"]:
        out += (f"complete -c particle -n __particle_needs_verb -a {verb['name']} "
                f"-d {fish_quote(verb['summary'])}\n")
    for verb in description["verbs"]:
        condition = f" -n '__particle_verb {verb['name']}'"
        out += "\n"
        for option in flags(verb["options"]):
            if "--help" not in option["names"]:
                out += fish_option(option, condition)
        if verb["name"] in PARTS:
            out += (f"complete -c particle -n '__particle_verb {verb['name']}; and test (count (__particle_words)) = 1' "
                    f"-a {fish_quote(' '.join(PARTS[verb['name']]))}\n")
        for option in positionals(verb["options"]):
            value = fish_value(option)
            if " -a " in value:
                out += f"complete -c particle{condition}{value}\n"
        if verb["name"] in TAKE_COMMANDS:
            out += f"complete -c particle{condition} -a '(__fish_complete_subcommand)'\n"
    for name, names in PARTS.items():
        if name not in {v["name"] for v in description["verbs"]}:
            out += (f"\ncomplete -c particle -n '__particle_verb {name}; and test (count (__particle_words)) = 1' "
                    f"-a {fish_quote(' '.join(names))}\n")
    return out


# ---- files -------------------------------------------------------------------------------------

def documents(description):
    out = {
        "cli/man/particle.1": main_page(description),
        "docs/cli.md": markdown(description),
        "cli/completions/particle.bash": bash_script(description),
        "cli/completions/_particle": zsh_script(description),
        "cli/completions/particle.fish": fish_script(description),
    }
    for verb in description["verbs"]:
        out[f"cli/man/particle-{verb['name']}.1"] = verb_page(description, verb)
    return out


def main():
    check = "--check" in sys.argv[1:]
    program = [a for a in sys.argv[1:] if not a.startswith("--")]
    if len(program) != 1:
        sys.exit(__doc__)
    answer = subprocess.run([program[0], "__describe"], check=True, capture_output=True, text=True)
    stale = []
    for name, content in documents(json.loads(answer.stdout)).items():
        path = ROOT / name
        if path.exists() and path.read_text() == content:
            continue
        stale.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
    for name in stale:
        print(("stale: " if check else "wrote ") + name)
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
