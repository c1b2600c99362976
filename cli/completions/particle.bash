# SPDX-License-Identifier: Apache-2.0
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
  local verb='' run_dir=${PARTICLE_RUN_DIR-} options='--help --run-dir --json --no-color --verbose --help --version' positionals=0 i word
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
      --agent|--alive|--as-number|--at-once|--attach|--backend|--block|--chunk|--cluster|--confidence|--cooldown|--count|--cpus|--csv|--design|--egress|--endpoints|--enforce|--env|--etcd-ca|--etcd-cert|--etcd-cluster|--etcd-endpoints|--etcd-key|--etcd-lease|--etcd-password-file|--etcd-user|--events|--evpn-grace|--evpn-vty-sockets|--evpn-vtysh|--family|--flame|--from|--functions|--group|--hertz|--holder|--id|--image|--input|--inputs|--instance|--ip|--isolation|--job|--keepalive|--lead|--length|--listen|--local|--mac|--memory|--metrics|--minutes|--mode|--mount|--mtu|--name|--node|--nodes|--out|--output|--overlay|--peer|--peers|--pid|--pids|--place|--png|--policy|--pool|--prefix|--programs|--publish|--range|--reflect|--remove|--repeats|--resync|--retries|--run-dir|--seconds|--secret-file|--socket|--store|--strategy|--task-timeout|--tenant|--threshold|--timeline|--timeout|--trace|--transfer|--underlay-dev|--underlay-ip|--vni|--vtep|--wait|--weave-tenant|--weave-url|--workdir|--worker|-o|-p)
        [[ ${COMP_WORDS[i + 1]-} == '=' ]] && ((i++))
        ((i++))
        [[ $word == --run-dir ]] && ((i < COMP_CWORD)) && run_dir=${COMP_WORDS[i]}
        ;;
      -*) ;;
      *)
        if [[ -z $verb ]]; then
          verb=$word
        elif [[ ${COMP_WORDS[i - 1]} == bench && $verb == bench && $word == @(list|report|compare) ]]; then
          verb+=-$word
        elif [[ ${COMP_WORDS[i - 1]} == fleet && $verb == fleet && $word == @(run|pipeline|agent|ps|logs|kill|nodes) ]]; then
          verb+=-$word
        else
          ((positionals++))
        fi
        ;;
    esac
  done
  [[ $previous == --run-dir ]] && { _particle_directories; return; }
  case $verb in
    '') [[ $current != -* ]] && { _particle_words 'create-pool list-pools show-pool resize-pool delete-pool exec run lease release list-leases add-peer remove-peer list-peers agent frr-config allocate-block release-block list-blocks fleet-run fleet-agent fleet-pipeline fleet-ps fleet-logs fleet-kill fleet-nodes demo doctor gc completion version bench bench-list bench-report bench-compare trace'; return; } ;;
    help) ((positionals == 0)) && { _particle_words 'create-pool list-pools show-pool resize-pool delete-pool exec run lease release list-leases add-peer remove-peer list-peers agent frr-config allocate-block release-block list-blocks fleet-run fleet-agent fleet-pipeline fleet-ps fleet-logs fleet-kill fleet-nodes demo doctor gc completion version bench bench-list bench-report bench-compare trace'; return; } ;;
    create-pool)
      options='--help --tenant --vni --prefix --range --count --mode --isolation --attach --egress --publish --underlay-dev --underlay-ip --mtu --cooldown --dry-run --timings --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
        --vni) :; return ;;
        --prefix) :; return ;;
        --range) :; return ;;
        --count) :; return ;;
        --mode) _particle_words 'auto secondary anyip'; return ;;
        --isolation) _particle_words 'tenant job container'; return ;;
        --attach) _particle_words 'veth direct'; return ;;
        --egress) _particle_words 'none masquerade routed'; return ;;
        --publish) _particle_words 'NODE_PORT:ENDPOINT:PORT[/tcp udp]'; return ;;
        --underlay-dev) _particle_devices; return ;;
        --underlay-ip) :; return ;;
        --mtu) :; return ;;
        --cooldown) :; return ;;
      esac
      ;;
    list-pools)
      options='--help --tenant --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
      esac
      ;;
    show-pool)
      options='--help --help --run-dir --json --no-color --verbose'
      case $previous in
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    resize-pool)
      options='--help --count --prefix --range --dry-run --timings --help --run-dir --json --no-color --verbose'
      case $previous in
        --count) :; return ;;
        --prefix) :; return ;;
        --range) :; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    delete-pool)
      options='--help --force --dry-run --timings --help --run-dir --json --no-color --verbose'
      case $previous in
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    exec)
      options='--help --holder --help --run-dir --json --no-color --verbose'
      case $previous in
        --holder) _particle_names holders; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    run)
      options='--help --pool --ip --holder --enforce --policy --group --allow-raw --help --run-dir --json --no-color --verbose'
      case $previous in
        --pool) _particle_names pools; return ;;
        --ip) :; return ;;
        --holder) :; return ;;
        --enforce) _particle_words 'auto ebpf seccomp preload off'; return ;;
        --policy) _particle_words 'rewrite strict audit'; return ;;
        --group) :; return ;;
      esac
      ;;
    lease)
      options='--help --holder --ip --count --pid --wait --help --run-dir --json --no-color --verbose'
      case $previous in
        --holder) :; return ;;
        --ip) :; return ;;
        --count) :; return ;;
        --pid) :; return ;;
        --wait) :; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    release)
      options='--help --holder --ip --help --run-dir --json --no-color --verbose'
      case $previous in
        --holder) _particle_names holders; return ;;
        --ip) :; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    list-leases)
      options='--help --holder --help --run-dir --json --no-color --verbose'
      case $previous in
        --holder) _particle_names holders; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_names pools; return; }
      ;;
    add-peer)
      options='--help --from --tenant --vtep --mac --prefix --timings --help --run-dir --json --no-color --verbose'
      case $previous in
        --from) _particle_files; return ;;
        --tenant) _particle_names tenants; return ;;
        --vtep) :; return ;;
        --mac) :; return ;;
        --prefix) :; return ;;
      esac
      ;;
    remove-peer)
      options='--help --tenant --vtep --from --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
        --vtep) :; return ;;
        --from) _particle_files; return ;;
      esac
      ;;
    list-peers)
      options='--help --tenant --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
      esac
      ;;
    agent)
      options='--help --overlay --peers --evpn-vtysh --evpn-vty-sockets --evpn-grace --etcd-endpoints --etcd-cluster --etcd-ca --etcd-cert --etcd-key --etcd-user --etcd-password-file --etcd-lease --weave-tenant --weave-url --node --resync --metrics --once --wait --forget --help --run-dir --json --no-color --verbose'
      case $previous in
        --overlay) _particle_words 'static evpn etcd weave'; return ;;
        --peers) _particle_files; return ;;
        --evpn-vtysh) _particle_files; return ;;
        --evpn-vty-sockets) _particle_directories; return ;;
        --evpn-grace) :; return ;;
        --etcd-endpoints) :; return ;;
        --etcd-cluster) :; return ;;
        --etcd-ca) _particle_files; return ;;
        --etcd-cert) _particle_files; return ;;
        --etcd-key) _particle_files; return ;;
        --etcd-user) :; return ;;
        --etcd-password-file) _particle_files; return ;;
        --etcd-lease) :; return ;;
        --weave-tenant) _particle_names tenants; return ;;
        --weave-url) :; return ;;
        --node) :; return ;;
        --resync) :; return ;;
        --metrics) :; return ;;
        --wait) :; return ;;
      esac
      ;;
    frr-config)
      options='--help --local --peer --reflect --as-number --keepalive --help --run-dir --json --no-color --verbose'
      case $previous in
        --local) :; return ;;
        --peer) :; return ;;
        --reflect) :; return ;;
        --as-number) :; return ;;
        --keepalive) :; return ;;
      esac
      ;;
    allocate-block)
      options='--help --tenant --pool --node --from --length --vni --etcd-endpoints --etcd-cluster --etcd-ca --etcd-cert --etcd-key --etcd-user --etcd-password-file --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
        --pool) :; return ;;
        --node) :; return ;;
        --from) :; return ;;
        --length) :; return ;;
        --vni) :; return ;;
        --etcd-endpoints) :; return ;;
        --etcd-cluster) :; return ;;
        --etcd-ca) _particle_files; return ;;
        --etcd-cert) _particle_files; return ;;
        --etcd-key) _particle_files; return ;;
        --etcd-user) :; return ;;
        --etcd-password-file) _particle_files; return ;;
      esac
      ;;
    release-block)
      options='--help --tenant --pool --block --all --node --etcd-endpoints --etcd-cluster --etcd-ca --etcd-cert --etcd-key --etcd-user --etcd-password-file --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
        --pool) :; return ;;
        --block) :; return ;;
        --node) :; return ;;
        --etcd-endpoints) :; return ;;
        --etcd-cluster) :; return ;;
        --etcd-ca) _particle_files; return ;;
        --etcd-cert) _particle_files; return ;;
        --etcd-key) _particle_files; return ;;
        --etcd-user) :; return ;;
        --etcd-password-file) _particle_files; return ;;
      esac
      ;;
    list-blocks)
      options='--help --tenant --node --etcd-endpoints --etcd-cluster --etcd-ca --etcd-cert --etcd-key --etcd-user --etcd-password-file --help --run-dir --json --no-color --verbose'
      case $previous in
        --tenant) _particle_names tenants; return ;;
        --node) :; return ;;
        --etcd-endpoints) :; return ;;
        --etcd-cluster) :; return ;;
        --etcd-ca) _particle_files; return ;;
        --etcd-cert) _particle_files; return ;;
        --etcd-key) _particle_files; return ;;
        --etcd-user) :; return ;;
        --etcd-password-file) _particle_files; return ;;
      esac
      ;;
    fleet-run)
      options='--help --pool --count --id --job --at-once --input --inputs --image --env --mount --workdir --memory --cpus --pids --timeout --retries --here --place --backend --agent --enforce --events --timeline --help --run-dir --json --no-color --verbose'
      case $previous in
        --pool) _particle_names pools; return ;;
        --count) :; return ;;
        --id) :; return ;;
        --job) _particle_files; return ;;
        --at-once) :; return ;;
        --input) _particle_files; return ;;
        --inputs) _particle_files; return ;;
        --image) :; return ;;
        --env) :; return ;;
        --mount) :; return ;;
        --workdir) _particle_directories; return ;;
        --memory) :; return ;;
        --cpus) :; return ;;
        --pids) :; return ;;
        --timeout) :; return ;;
        --retries) :; return ;;
        --place) _particle_words 'round-robin most-free'; return ;;
        --backend) _particle_words 'builtin runc containerd'; return ;;
        --agent) _particle_files; return ;;
        --enforce) _particle_words 'auto ebpf seccomp preload off'; return ;;
        --events) _particle_files; return ;;
        --timeline) _particle_files; return ;;
      esac
      ;;
    fleet-agent)
      options='--help --name --socket --listen --peer --peers --secret-file --cluster --no-authentication --etcd-endpoints --etcd-cluster --etcd-ca --etcd-cert --etcd-key --etcd-user --etcd-password-file --etcd-lease --backend --help --run-dir --json --no-color --verbose'
      case $previous in
        --name) :; return ;;
        --socket) _particle_files; return ;;
        --listen) :; return ;;
        --peer) :; return ;;
        --peers) _particle_files; return ;;
        --secret-file) _particle_files; return ;;
        --cluster) :; return ;;
        --etcd-endpoints) :; return ;;
        --etcd-cluster) :; return ;;
        --etcd-ca) _particle_files; return ;;
        --etcd-cert) _particle_files; return ;;
        --etcd-key) _particle_files; return ;;
        --etcd-user) :; return ;;
        --etcd-password-file) _particle_files; return ;;
        --etcd-lease) :; return ;;
        --backend) _particle_words 'builtin runc containerd'; return ;;
      esac
      ;;
    fleet-pipeline)
      options='--help --input --output --chunk --strategy --lead --transfer --store --at-once --alive --task-timeout --retries --duplicate-stragglers --local --pool --node --image --worker --agent --enforce --events --timeline --help --run-dir --json --no-color --verbose'
      case $previous in
        --input) :; return ;;
        --output) :; return ;;
        --chunk) :; return ;;
        --strategy) _particle_words 'overall-time first-frame streaming'; return ;;
        --lead) :; return ;;
        --transfer) _particle_words 'direct store'; return ;;
        --store) _particle_directories; return ;;
        --at-once) :; return ;;
        --alive) :; return ;;
        --task-timeout) :; return ;;
        --retries) :; return ;;
        --pool) _particle_names pools; return ;;
        --node) :; return ;;
        --image) :; return ;;
        --worker) _particle_files; return ;;
        --agent) _particle_files; return ;;
        --enforce) _particle_words 'auto ebpf seccomp preload off'; return ;;
        --events) _particle_files; return ;;
        --timeline) _particle_files; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_words 'run check list'; return; }
      [[ $current != -* ]] && ((positionals == 1)) && { _particle_files; return; }
      ;;
    fleet-ps)
      options='--help --agent --help --run-dir --json --no-color --verbose'
      case $previous in
        --agent) _particle_files; return ;;
      esac
      ;;
    fleet-logs)
      options='--help --instance --events --agent --help --run-dir --json --no-color --verbose'
      case $previous in
        --instance) :; return ;;
        --agent) _particle_files; return ;;
      esac
      ;;
    fleet-kill)
      options='--help --agent --help --run-dir --json --no-color --verbose'
      case $previous in
        --agent) _particle_files; return ;;
      esac
      ;;
    fleet-nodes)
      options='--help --pool --agent --help --run-dir --json --no-color --verbose'
      case $previous in
        --pool) _particle_names pools; return ;;
        --agent) _particle_files; return ;;
      esac
      ;;
    demo)
      options='--help --endpoints --mode --family --no-baseline --keep --overlay --nodes --pipeline --seconds --remove --help --run-dir --json --no-color --verbose'
      case $previous in
        --endpoints) :; return ;;
        --mode) _particle_words 'auto secondary anyip'; return ;;
        --family) _particle_words 'v4 v6 both'; return ;;
        --overlay) _particle_words 'etcd evpn'; return ;;
        --nodes) :; return ;;
        --seconds) :; return ;;
        --remove) _particle_directories; return ;;
      esac
      ;;
    doctor)
      options='--help --help --run-dir --json --no-color --verbose'
      case $previous in
      esac
      ;;
    gc)
      options='--help --dry-run --alive --help --run-dir --json --no-color --verbose'
      case $previous in
        --alive) _particle_files; return ;;
      esac
      ;;
    completion)
      options='--help --help --run-dir --json --no-color --verbose'
      case $previous in
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_words 'bash zsh fish'; return; }
      ;;
    version)
      options='--help --help --run-dir --json --no-color --verbose'
      case $previous in
      esac
      ;;
    bench)
      options='--help --design --endpoints --repeats --minutes --quick --although-busy --out --help --run-dir --json --no-color --verbose'
      case $previous in
        --design) _particle_names designs; return ;;
        --endpoints) :; return ;;
        --repeats) :; return ;;
        --minutes) :; return ;;
        --out) _particle_files; return ;;
      esac
      [[ $previous == bench && $current != -* ]] && { _particle_words 'list report compare'; return; }
      ;;
    bench-list)
      options='--help --help --run-dir --json --no-color --verbose'
      case $previous in
      esac
      ;;
    bench-report)
      options='--help --output --csv --png --trace --programs --help --run-dir --json --no-color --verbose'
      case $previous in
        -o|--output) _particle_files; return ;;
        --csv) _particle_files; return ;;
        --png) _particle_directories; return ;;
        --trace) _particle_files; return ;;
        --programs) _particle_files; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_files; return; }
      ;;
    bench-compare)
      options='--help --confidence --threshold --help --run-dir --json --no-color --verbose'
      case $previous in
        --confidence) :; return ;;
        --threshold) :; return ;;
      esac
      [[ $current != -* ]] && ((positionals == 0)) && { _particle_files; return; }
      [[ $current != -* ]] && ((positionals == 1)) && { _particle_files; return; }
      ;;
    trace)
      options='--help --pid --seconds --hertz --functions --out --flame --help --run-dir --json --no-color --verbose'
      case $previous in
        -p|--pid) :; return ;;
        --seconds) :; return ;;
        --hertz) :; return ;;
        --functions) :; return ;;
        --out) _particle_files; return ;;
        --flame) _particle_files; return ;;
      esac
      ;;
    fleet) [[ $current != -* ]] && { _particle_words 'run pipeline agent ps logs kill nodes'; return; } ;;
  esac
  [[ $current == -* ]] && _particle_words "$options"
}
complete -F _particle particle
