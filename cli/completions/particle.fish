# SPDX-License-Identifier: Apache-2.0
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
    if test (count $words) -gt 1; and test $words[1] = bench; and contains -- $words[2] list report compare
        set words bench-$words[2]
    end
    if test (count $words) -gt 1; and test $words[1] = fleet; and contains -- $words[2] run pipeline agent ps logs kill nodes
        set words fleet-$words[2]
    end
    test (count $words) -gt 0; and contains -- $words[1] $argv
end

function __particle_names
    set -l words (commandline -opc)
    set -l where
    set -l at (contains -i -- --run-dir $words)
    and set where --run-dir $words[(math $at + 1)]
    command $words[1] $where __list $argv[1] 2>/dev/null
end

complete -c particle -f
complete -c particle -s h -l help -d 'Show help and exit'
complete -c particle -l run-dir -x -a '(__fish_complete_directories)' -d 'Where records, leases and pinned namespaces are kept (environment: PARTICLE_RUN_DIR; default: /run/particle)'
complete -c particle -l json -d 'Print the result, or the error, as JSON on stdout'
complete -c particle -l no-color -d 'No colours, not even on a terminal (environment: NO_COLOR)'
complete -c particle -s v -l verbose -d 'Log what happens to stderr; -vv logs more'
complete -c particle -s h -l help -d 'Show help and exit'
complete -c particle -n __particle_needs_verb -s V -l version -d 'Print the version and exit'

complete -c particle -n __particle_needs_verb -a create-pool -d 'Make a tenant\'s pool of endpoints on this node'
complete -c particle -n __particle_needs_verb -a list-pools -d 'List the pools of this node'
complete -c particle -n __particle_needs_verb -a show-pool -d 'Show one pool and compare it with the kernel'
complete -c particle -n __particle_needs_verb -a resize-pool -d 'Give a pool more or fewer endpoints'
complete -c particle -n __particle_needs_verb -a delete-pool -d 'Remove a pool'
complete -c particle -n __particle_needs_verb -a exec -d 'Run a command inside a pool\'s network namespace'
complete -c particle -n __particle_needs_verb -a run -d 'Run a command as an endpoint of a pool'
complete -c particle -n __particle_needs_verb -a lease -d 'Take endpoints of a pool for a container'
complete -c particle -n __particle_needs_verb -a release -d 'Give a container\'s endpoints back'
complete -c particle -n __particle_needs_verb -a list-leases -d 'List who holds which endpoint'
complete -c particle -n __particle_needs_verb -a add-peer -d 'Make a remote node\'s pool reachable'
complete -c particle -n __particle_needs_verb -a remove-peer -d 'Forget a remote node\'s pool'
complete -c particle -n __particle_needs_verb -a list-peers -d 'List the remote nodes and what is missing'
complete -c particle -n __particle_needs_verb -a agent -d 'Keep the peers in step with an overlay'
complete -c particle -n __particle_needs_verb -a frr-config -d 'Print FRR\'s configuration for overlay evpn'
complete -c particle -n __particle_needs_verb -a allocate-block -d 'Take addresses and a VNI that no other node has'
complete -c particle -n __particle_needs_verb -a release-block -d 'Give them back'
complete -c particle -n __particle_needs_verb -a list-blocks -d 'List who has which addresses'
complete -c particle -n __particle_needs_verb -a fleet-run -d 'Run instances of a function: here, or over the nodes of a fleet'
complete -c particle -n __particle_needs_verb -a fleet-agent -d 'Run jobs on this node, for clients and other agents'
complete -c particle -n __particle_needs_verb -a fleet-pipeline -d 'Run a video pipeline: a worker for each chunk and stage'
complete -c particle -n __particle_needs_verb -a fleet-ps -d 'List the jobs of an agent'
complete -c particle -n __particle_needs_verb -a fleet-logs -d 'Print what a job\'s instances wrote'
complete -c particle -n __particle_needs_verb -a fleet-kill -d 'End a job'
complete -c particle -n __particle_needs_verb -a fleet-nodes -d 'List the nodes of a fleet'
complete -c particle -n __particle_needs_verb -a demo -d 'Two nodes, two tenants and real traffic, timed'
complete -c particle -n __particle_needs_verb -a doctor -d 'What this kernel and user can do, and what to do about it'
complete -c particle -n __particle_needs_verb -a gc -d 'Remove or repair what crashes left behind'
complete -c particle -n __particle_needs_verb -a completion -d 'Print a shell\'s completion script'
complete -c particle -n __particle_needs_verb -a version -d 'Print the version'
complete -c particle -n __particle_needs_verb -a bench -d 'What connecting N endpoints, or containers, costs'
complete -c particle -n __particle_needs_verb -a bench-list -d 'List what `bench` measures'
complete -c particle -n __particle_needs_verb -a bench-report -d 'Make a page of what `bench` measured'
complete -c particle -n __particle_needs_verb -a bench-compare -d 'Compare two results of `bench`'
complete -c particle -n __particle_needs_verb -a trace -d 'Where the time of a command goes, in the kernel and out of it'

complete -c particle -n '__particle_verb create-pool' -l tenant -x -a '(__particle_names tenants)' -d 'The tenant the pool belongs to'
complete -c particle -n '__particle_verb create-pool' -l vni -x -d 'The tenant\'s VXLAN network identifier, 1 to 16777215; the same on every node'
complete -c particle -n '__particle_verb create-pool' -l prefix -x -d 'The subnet; give it once for IPv4, once for IPv6, or both'
complete -c particle -n '__particle_verb create-pool' -l range -x -d 'The part of the prefix of the same family that this node owns (default: all of it); once per family'
complete -c particle -n '__particle_verb create-pool' -l count -x -d 'Number of endpoints (default: as many as fit)'
complete -c particle -n '__particle_verb create-pool' -l mode -x -a 'auto secondary anyip' -d 'How the addresses exist in the kernel (default: auto)'
complete -c particle -n '__particle_verb create-pool' -l isolation -x -a 'tenant job container' -d 'Who shares a namespace with whom (default: tenant)'
complete -c particle -n '__particle_verb create-pool' -l attach -x -a 'veth direct' -d 'How the pool is joined to the tenant\'s VXLAN (default: veth)'
complete -c particle -n '__particle_verb create-pool' -l egress -x -a 'none masquerade routed' -d 'Whether containers reach what is outside their overlay, and under the node\'s address or their own (default: none)'
complete -c particle -n '__particle_verb create-pool' -l publish -x -a 'NODE_PORT:ENDPOINT:PORT[/tcp udp]' -d 'A port of the node that leads to an endpoint of the pool; any number of times'
complete -c particle -n '__particle_verb create-pool' -l underlay-dev -x -a '(command ls /sys/class/net 2>/dev/null)' -d 'The device that reaches the other nodes (default: that of the default route, or the only one that is up and has a global address)'
complete -c particle -n '__particle_verb create-pool' -l underlay-ip -x -d 'The address that the other nodes reach this one by, whichever device has it'
complete -c particle -n '__particle_verb create-pool' -l mtu -x -d 'MTU of the pool (default: the underlay\'s less 50, or 70 over IPv6)'
complete -c particle -n '__particle_verb create-pool' -l cooldown -x -d 'How long a released endpoint rests before it is given again (default: 1)'
complete -c particle -n '__particle_verb create-pool' -l dry-run -d 'Print the steps and change nothing'
complete -c particle -n '__particle_verb create-pool' -l timings -d 'Print the milliseconds of each step, named S1 to S6 after figure 3.1 of the dissertation'

complete -c particle -n '__particle_verb list-pools' -l tenant -x -a '(__particle_names tenants)' -d 'Only this tenant\'s pools'

complete -c particle -n '__particle_verb show-pool' -x -a '(__particle_names pools)'

complete -c particle -n '__particle_verb resize-pool' -l count -x -d 'The new number of endpoints'
complete -c particle -n '__particle_verb resize-pool' -l prefix -x -d 'Replaces the prefix of the same family'
complete -c particle -n '__particle_verb resize-pool' -l range -x -d 'The part of the --prefix of the same family that this node owns'
complete -c particle -n '__particle_verb resize-pool' -l dry-run -d 'Print the steps and change nothing'
complete -c particle -n '__particle_verb resize-pool' -l timings -d 'Print the milliseconds of each step'
complete -c particle -n '__particle_verb resize-pool' -x -a '(__particle_names pools)'

complete -c particle -n '__particle_verb delete-pool' -l force -d 'Delete it although leases are held, and forget them'
complete -c particle -n '__particle_verb delete-pool' -l dry-run -d 'Print the steps and change nothing'
complete -c particle -n '__particle_verb delete-pool' -l timings -d 'Print the milliseconds of each step'
complete -c particle -n '__particle_verb delete-pool' -x -a '(__particle_names pools)'

complete -c particle -n '__particle_verb exec' -l holder -x -a '(__particle_names holders)' -d 'The container whose lease the command gets'
complete -c particle -n '__particle_verb exec' -x -a '(__particle_names pools)'
complete -c particle -n '__particle_verb exec' -a '(__fish_complete_subcommand)'

complete -c particle -n '__particle_verb run' -l pool -x -a '(__particle_names pools)' -d 'The pool'
complete -c particle -n '__particle_verb run' -l ip -x -d 'This endpoint and no other'
complete -c particle -n '__particle_verb run' -l holder -x -d 'The lease\'s holder (default: run- and the process id)'
complete -c particle -n '__particle_verb run' -l enforce -x -a 'auto ebpf seccomp preload off' -d 'What keeps the command to its address (default: auto, which is ebpf where it works, else seccomp)'
complete -c particle -n '__particle_verb run' -l policy -x -a 'rewrite strict audit' -d 'Change what the command asks for, refuse it, or only report it (default: rewrite)'
complete -c particle -n '__particle_verb run' -l group -x -d 'Multicast or broadcast addresses that the command may bind to; up to four times'
complete -c particle -n '__particle_verb run' -l allow-raw -d 'Allow raw, ping and packet sockets: they see the other endpoints\' packets'
complete -c particle -n '__particle_verb run' -a '(__fish_complete_subcommand)'

complete -c particle -n '__particle_verb lease' -l holder -x -d 'The container: letters, digits, \'_\', \'.\' and \'-\', at most 255'
complete -c particle -n '__particle_verb lease' -l ip -x -d 'This endpoint and no other'
complete -c particle -n '__particle_verb lease' -l count -x -d 'How many endpoints (default: 1)'
complete -c particle -n '__particle_verb lease' -l pid -x -d '`gc` releases the lease when this process is gone'
complete -c particle -n '__particle_verb lease' -l wait -x -d 'How long to wait for endpoints that cool down (default: the pool\'s cool-down and 0.1)'
complete -c particle -n '__particle_verb lease' -x -a '(__particle_names pools)'

complete -c particle -n '__particle_verb release' -l holder -x -a '(__particle_names holders)' -d 'The container'
complete -c particle -n '__particle_verb release' -l ip -x -d 'Only this endpoint'
complete -c particle -n '__particle_verb release' -x -a '(__particle_names pools)'

complete -c particle -n '__particle_verb list-leases' -l holder -x -a '(__particle_names holders)' -d 'Only this container'
complete -c particle -n '__particle_verb list-leases' -x -a '(__particle_names pools)'

complete -c particle -n '__particle_verb add-peer' -l from -r -F -d 'The other node\'s `show-pool NAME --json`; `-` is stdin'
complete -c particle -n '__particle_verb add-peer' -l tenant -x -a '(__particle_names tenants)' -d 'The tenant; overrides the one in the file'
complete -c particle -n '__particle_verb add-peer' -l vtep -x -d 'The other node\'s underlay address'
complete -c particle -n '__particle_verb add-peer' -l mac -x -d 'The MAC address of its pool'
complete -c particle -n '__particle_verb add-peer' -l prefix -x -d 'What is behind it; any number of them'
complete -c particle -n '__particle_verb add-peer' -l timings -d 'Print the milliseconds of each step'

complete -c particle -n '__particle_verb remove-peer' -l tenant -x -a '(__particle_names tenants)' -d 'The tenant; overrides the one in the file'
complete -c particle -n '__particle_verb remove-peer' -l vtep -x -d 'The other node\'s underlay address'
complete -c particle -n '__particle_verb remove-peer' -l from -r -F -d 'The other node\'s `show-pool NAME --json`; `-` is stdin'

complete -c particle -n '__particle_verb list-peers' -l tenant -x -a '(__particle_names tenants)' -d 'Only this tenant\'s peers'

complete -c particle -n '__particle_verb agent' -l overlay -x -a 'static evpn etcd weave' -d 'Which control plane to follow'
complete -c particle -n '__particle_verb agent' -l peers -r -F -d 'Overlay static: A JSON list of announcements: which pools there are on which nodes'
complete -c particle -n '__particle_verb agent' -l evpn-vtysh -r -F -d 'Overlay evpn: FRR\'s vtysh; default: the one in PATH'
complete -c particle -n '__particle_verb agent' -l evpn-vty-sockets -x -a '(__fish_complete_directories)' -d 'Overlay evpn: where FRR\'s vty sockets are; default: vtysh\'s own, /var/run/frr'
complete -c particle -n '__particle_verb agent' -l evpn-grace -x -d 'Overlay evpn: how long a BGP neighbour may be missing before what it announced is removed; default: 60'
complete -c particle -n '__particle_verb agent' -l etcd-endpoints -x -d 'Overlay etcd: The etcd servers, as https://ADDRESS:2379, with commas between them; the others are tried when one fails'
complete -c particle -n '__particle_verb agent' -l etcd-cluster -x -d 'Overlay etcd: All keys are below /particle/NAME/: clusters of different names share a server without seeing each other (default: default)'
complete -c particle -n '__particle_verb agent' -l etcd-ca -r -F -d 'Overlay etcd: The certificate authority of the servers (default: the system\'s)'
complete -c particle -n '__particle_verb agent' -l etcd-cert -r -F -d 'Overlay etcd: This client\'s certificate'
complete -c particle -n '__particle_verb agent' -l etcd-key -r -F -d 'Overlay etcd: This client\'s private key'
complete -c particle -n '__particle_verb agent' -l etcd-user -x -d 'Overlay etcd: The user to authenticate as'
complete -c particle -n '__particle_verb agent' -l etcd-password-file -r -F -d 'Overlay etcd: A file whose first line is the user\'s password'
complete -c particle -n '__particle_verb agent' -l etcd-lease -x -d 'Overlay etcd: A node that has not been heard of for so long is withdrawn (default: 30)'
complete -c particle -n '__particle_verb agent' -l weave-tenant -x -a '(__particle_names tenants)' -d 'Overlay weave: The tenant whose pools have addresses of Weave\'s IPAM'
complete -c particle -n '__particle_verb agent' -l weave-url -x -d 'Overlay weave: Where Weave\'s router answers (default: http://127.0.0.1:6784)'
complete -c particle -n '__particle_verb agent' -l node -x -d 'This node\'s name, unique in the overlay; default: the host\'s name'
complete -c particle -n '__particle_verb agent' -l resync -x -d 'How often the kernel is compared even without news; default: 30'
complete -c particle -n '__particle_verb agent' -l metrics -x -d 'Serve Prometheus metrics: 127.0.0.1:PORT, [::1]:PORT or a UNIX socket\'s path'
complete -c particle -n '__particle_verb agent' -l once -d 'Do it once and exit'
complete -c particle -n '__particle_verb agent' -l wait -x -d 'With --once: how long to wait for the overlay to answer; default: 10'
complete -c particle -n '__particle_verb agent' -l forget -d 'Take off the peers that this overlay keeps and what it announced of this node, and exit'

complete -c particle -n '__particle_verb frr-config' -l local -x -d 'This node\'s underlay address'
complete -c particle -n '__particle_verb frr-config' -l peer -x -d 'The other nodes, or the reflectors'
complete -c particle -n '__particle_verb frr-config' -l reflect -x -d 'This node reflects routes for the nodes in this prefix'
complete -c particle -n '__particle_verb frr-config' -l as-number -x -d 'The AS of all nodes; default: 65000'
complete -c particle -n '__particle_verb frr-config' -l keepalive -x -d 'BGP\'s keepalive; a dead node is noticed after three; default: 3'

complete -c particle -n '__particle_verb allocate-block' -l tenant -x -a '(__particle_names tenants)' -d 'The tenant'
complete -c particle -n '__particle_verb allocate-block' -l pool -x -d 'The pool that is to have the addresses'
complete -c particle -n '__particle_verb allocate-block' -l node -x -d 'The node\'s name in the cluster; default: the host\'s name'
complete -c particle -n '__particle_verb allocate-block' -l from -x -d 'The subnet that the block is taken from'
complete -c particle -n '__particle_verb allocate-block' -l length -x -d 'The block\'s prefix length; default: the whole of --from'
complete -c particle -n '__particle_verb allocate-block' -l vni -x -d 'The tenant\'s VNI; default: the one it has, else the lowest that is free'
complete -c particle -n '__particle_verb allocate-block' -l etcd-endpoints -x -d 'The etcd servers, as https://ADDRESS:2379, with commas between them; the others are tried when one fails'
complete -c particle -n '__particle_verb allocate-block' -l etcd-cluster -x -d 'All keys are below /particle/NAME/: clusters of different names share a server without seeing each other (default: default)'
complete -c particle -n '__particle_verb allocate-block' -l etcd-ca -r -F -d 'The certificate authority of the servers (default: the system\'s)'
complete -c particle -n '__particle_verb allocate-block' -l etcd-cert -r -F -d 'This client\'s certificate'
complete -c particle -n '__particle_verb allocate-block' -l etcd-key -r -F -d 'This client\'s private key'
complete -c particle -n '__particle_verb allocate-block' -l etcd-user -x -d 'The user to authenticate as'
complete -c particle -n '__particle_verb allocate-block' -l etcd-password-file -r -F -d 'A file whose first line is the user\'s password'

complete -c particle -n '__particle_verb release-block' -l tenant -x -a '(__particle_names tenants)' -d 'The tenant'
complete -c particle -n '__particle_verb release-block' -l pool -x -d 'What this pool has, in both families'
complete -c particle -n '__particle_verb release-block' -l block -x -d 'Only this block'
complete -c particle -n '__particle_verb release-block' -l all -d 'Everything that the node has of the tenant'
complete -c particle -n '__particle_verb release-block' -l node -x -d 'The node\'s name in the cluster; default: the host\'s name'
complete -c particle -n '__particle_verb release-block' -l etcd-endpoints -x -d 'The etcd servers, as https://ADDRESS:2379, with commas between them; the others are tried when one fails'
complete -c particle -n '__particle_verb release-block' -l etcd-cluster -x -d 'All keys are below /particle/NAME/: clusters of different names share a server without seeing each other (default: default)'
complete -c particle -n '__particle_verb release-block' -l etcd-ca -r -F -d 'The certificate authority of the servers (default: the system\'s)'
complete -c particle -n '__particle_verb release-block' -l etcd-cert -r -F -d 'This client\'s certificate'
complete -c particle -n '__particle_verb release-block' -l etcd-key -r -F -d 'This client\'s private key'
complete -c particle -n '__particle_verb release-block' -l etcd-user -x -d 'The user to authenticate as'
complete -c particle -n '__particle_verb release-block' -l etcd-password-file -r -F -d 'A file whose first line is the user\'s password'

complete -c particle -n '__particle_verb list-blocks' -l tenant -x -a '(__particle_names tenants)' -d 'Only this tenant\'s'
complete -c particle -n '__particle_verb list-blocks' -l node -x -d 'Only this node\'s'
complete -c particle -n '__particle_verb list-blocks' -l etcd-endpoints -x -d 'The etcd servers, as https://ADDRESS:2379, with commas between them; the others are tried when one fails'
complete -c particle -n '__particle_verb list-blocks' -l etcd-cluster -x -d 'All keys are below /particle/NAME/: clusters of different names share a server without seeing each other (default: default)'
complete -c particle -n '__particle_verb list-blocks' -l etcd-ca -r -F -d 'The certificate authority of the servers (default: the system\'s)'
complete -c particle -n '__particle_verb list-blocks' -l etcd-cert -r -F -d 'This client\'s certificate'
complete -c particle -n '__particle_verb list-blocks' -l etcd-key -r -F -d 'This client\'s private key'
complete -c particle -n '__particle_verb list-blocks' -l etcd-user -x -d 'The user to authenticate as'
complete -c particle -n '__particle_verb list-blocks' -l etcd-password-file -r -F -d 'A file whose first line is the user\'s password'

complete -c particle -n '__particle_verb fleet-run' -l pool -x -a '(__particle_names pools)' -d 'The pool, of every node that takes part'
complete -c particle -n '__particle_verb fleet-run' -l count -x -d 'How many instances (default: 1)'
complete -c particle -n '__particle_verb fleet-run' -l id -x -d 'The job\'s name (default: made up)'
complete -c particle -n '__particle_verb fleet-run' -l job -r -F -d 'Stages whose outputs are the next ones\' inputs, as JSON (docs/fleet.md)'
complete -c particle -n '__particle_verb fleet-run' -l at-once -x -d 'No more than this at the same time (default: as many as there are endpoints)'
complete -c particle -n '__particle_verb fleet-run' -l input -r -F -d 'What every instance reads; - is stdin'
complete -c particle -n '__particle_verb fleet-run' -l inputs -r -F -d 'One instance for each line, which reads that line; - is stdin'
complete -c particle -n '__particle_verb fleet-run' -l image -x -d 'The root: a directory, or oci:DIRECTORY[:TAG] (default: the node\'s own, read-only)'
complete -c particle -n '__particle_verb fleet-run' -l env -x -d 'Set a variable; may be repeated'
complete -c particle -n '__particle_verb fleet-run' -l mount -x -d 'Show a file or directory of the node; may be repeated'
complete -c particle -n '__particle_verb fleet-run' -l workdir -x -a '(__fish_complete_directories)' -d 'Where the command starts (default: /)'
complete -c particle -n '__particle_verb fleet-run' -l memory -x -d 'At most this much for each instance: 64M'
complete -c particle -n '__particle_verb fleet-run' -l cpus -x -d 'At most this much processor time: 0.5'
complete -c particle -n '__particle_verb fleet-run' -l pids -x -d 'At most this many processes and threads'
complete -c particle -n '__particle_verb fleet-run' -l timeout -x -d 'End an instance after this long: 5s, 250ms, 2m'
complete -c particle -n '__particle_verb fleet-run' -l retries -x -d 'Start an instance that failed anew, elsewhere if possible, up to so often'
complete -c particle -n '__particle_verb fleet-run' -l here -d 'On this node, without an agent'
complete -c particle -n '__particle_verb fleet-run' -l place -x -a 'round-robin most-free' -d 'Which node gets the next instance (default: round-robin)'
complete -c particle -n '__particle_verb fleet-run' -l backend -x -a 'builtin runc containerd' -d 'With --here: what starts the instances (default: builtin)'
complete -c particle -n '__particle_verb fleet-run' -l agent -r -F -d 'The socket of an agent (default: this node\'s, when one runs here; else no agent)'
complete -c particle -n '__particle_verb fleet-run' -l enforce -x -a 'auto ebpf seccomp preload off' -d 'What keeps an instance to its address (default: auto)'
complete -c particle -n '__particle_verb fleet-run' -l events -r -F -d 'Write every event there, one JSON object a line'
complete -c particle -n '__particle_verb fleet-run' -l timeline -r -F -d 'Draw a picture of the job there (SVG)'
complete -c particle -n '__particle_verb fleet-run' -a '(__fish_complete_subcommand)'

complete -c particle -n '__particle_verb fleet-agent' -l name -x -d 'This node\'s name, unique in the fleet; default: the host\'s name'
complete -c particle -n '__particle_verb fleet-agent' -l socket -r -F -d 'Where clients of this node find it (default: fleet.sock in the node\'s directory under the run directory)'
complete -c particle -n '__particle_verb fleet-agent' -l listen -x -d 'Where the other agents reach it: an address of the node network'
complete -c particle -n '__particle_verb fleet-agent' -l peer -x -d 'Another node\'s agent; may be repeated'
complete -c particle -n '__particle_verb fleet-agent' -l peers -r -F -d 'The same from a file, one a line, read anew for each job; it may name this node, too'
complete -c particle -n '__particle_verb fleet-agent' -l secret-file -r -F -d 'The fleet\'s secret, the same on all nodes: at least 32 random bytes, or 64 hexadecimal digits, that nobody but this user may read'
complete -c particle -n '__particle_verb fleet-agent' -l cluster -x -d 'The fleet\'s name: agents of another one are refused, even if they have this secret (default: that of --etcd-cluster, else default)'
complete -c particle -n '__particle_verb fleet-agent' -l no-authentication -d 'Instead of --secret-file: serve whoever reaches --listen, unencrypted. Only where nobody but the nodes reaches the network'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-endpoints -x -d 'The etcd servers, as https://ADDRESS:2379, with commas between them; the others are tried when one fails'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-cluster -x -d 'All keys are below /particle/NAME/: clusters of different names share a server without seeing each other (default: default)'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-ca -r -F -d 'The certificate authority of the servers (default: the system\'s)'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-cert -r -F -d 'This client\'s certificate'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-key -r -F -d 'This client\'s private key'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-user -x -d 'The user to authenticate as'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-password-file -r -F -d 'A file whose first line is the user\'s password'
complete -c particle -n '__particle_verb fleet-agent' -l etcd-lease -x -d 'A node that has not been heard of for so long is withdrawn (default: 30)'
complete -c particle -n '__particle_verb fleet-agent' -l backend -x -a 'builtin runc containerd' -d 'What starts the instances (default: builtin)'

complete -c particle -n '__particle_verb fleet-pipeline' -l input -x -d 'The video that is input_N (without N=: input_0); may be repeated'
complete -c particle -n '__particle_verb fleet-pipeline' -l output -x -d 'Where output_N goes: a file; with %03d in its name a file per chunk; .mpd for MPEG-DASH; null: for nowhere'
complete -c particle -n '__particle_verb fleet-pipeline' -l chunk -x -d 'How much video makes a chunk (default: 1s)'
complete -c particle -n '__particle_verb fleet-pipeline' -l strategy -x -a 'overall-time first-frame streaming' -d 'Which task comes first when not all can run at once (default: overall-time)'
complete -c particle -n '__particle_verb fleet-pipeline' -l lead -x -d 'streaming: how long before it is shown a chunk may be there (default: 2s)'
complete -c particle -n '__particle_verb fleet-pipeline' -l transfer -x -a 'direct store' -d 'Workers pull from each other, or through files (default: direct)'
complete -c particle -n '__particle_verb fleet-pipeline' -l store -x -a '(__fish_complete_directories)' -d 'Where those files are (default: /tmp)'
complete -c particle -n '__particle_verb fleet-pipeline' -l at-once -x -d 'Workers that work at the same time (default: twice the processors with --local, else as many as there are endpoints)'
complete -c particle -n '__particle_verb fleet-pipeline' -l alive -x -d 'Workers alive at the same time, those that are only pulled from included (default: as many as there are endpoints)'
complete -c particle -n '__particle_verb fleet-pipeline' -l task-timeout -x -d 'After this long a worker counts as hanging (default: 60s)'
complete -c particle -n '__particle_verb fleet-pipeline' -l retries -x -d 'How often a task that failed is tried again (default: 2)'
complete -c particle -n '__particle_verb fleet-pipeline' -l duplicate-stragglers -d 'A task that takes far longer than others of its stage gets a second worker when there is room; what ends first counts'
complete -c particle -n '__particle_verb fleet-pipeline' -l local -d 'Plain processes on this machine: no pool, no containers'
complete -c particle -n '__particle_verb fleet-pipeline' -l pool -x -a '(__particle_names pools)' -d 'The pool, of every node that takes part'
complete -c particle -n '__particle_verb fleet-pipeline' -l node -x -d 'Stage after stage on these nodes in turn (default: each worker where there is room); may be repeated'
complete -c particle -n '__particle_verb fleet-pipeline' -l image -x -d 'The workers\' root: a directory, or oci:DIRECTORY[:TAG], with ffmpeg (default: the node\'s own, read-only)'
complete -c particle -n '__particle_verb fleet-pipeline' -l worker -r -F -d 'The program particle-worker on the nodes (default: the one beside this program)'
complete -c particle -n '__particle_verb fleet-pipeline' -l agent -r -F -d 'The socket of an agent (default: this node\'s, when one runs here; else no agent)'
complete -c particle -n '__particle_verb fleet-pipeline' -l enforce -x -a 'auto ebpf seccomp preload off' -d 'What keeps an instance to its address (default: auto)'
complete -c particle -n '__particle_verb fleet-pipeline' -l events -r -F -d 'Write every event there, one JSON object a line'
complete -c particle -n '__particle_verb fleet-pipeline' -l timeline -r -F -d 'Draw a picture of the job there (SVG)'
complete -c particle -n '__particle_verb fleet-pipeline' -x -a 'run check list'

complete -c particle -n '__particle_verb fleet-ps' -l agent -r -F -d 'The socket of the agent (default: this node\'s)'

complete -c particle -n '__particle_verb fleet-logs' -l instance -x -d 'This instance and no other'
complete -c particle -n '__particle_verb fleet-logs' -l events -d 'The job\'s events instead'
complete -c particle -n '__particle_verb fleet-logs' -l agent -r -F -d 'The socket of the agent (default: this node\'s)'

complete -c particle -n '__particle_verb fleet-kill' -l agent -r -F -d 'The socket of the agent (default: this node\'s)'

complete -c particle -n '__particle_verb fleet-nodes' -l pool -x -a '(__particle_names pools)' -d 'Say how many endpoints of this pool are free'
complete -c particle -n '__particle_verb fleet-nodes' -l agent -r -F -d 'The socket of the agent (default: this node\'s)'

complete -c particle -n '__particle_verb demo' -l endpoints -x -d 'Endpoints in each pool (default: 100)'
complete -c particle -n '__particle_verb demo' -l mode -x -a 'auto secondary anyip' -d 'Address mode (default: auto)'
complete -c particle -n '__particle_verb demo' -l family -x -a 'v4 v6 both' -d 'Address families (default: v4)'
complete -c particle -n '__particle_verb demo' -l no-baseline -d 'Do not do the job the usual way'
complete -c particle -n '__particle_verb demo' -l keep -d 'Leave everything up and say how to look around'
complete -c particle -n '__particle_verb demo' -l overlay -x -a 'etcd evpn' -d 'Nodes that find each other through this control plane'
complete -c particle -n '__particle_verb demo' -l nodes -x -d 'With --overlay: how many nodes (default: 4)'
complete -c particle -n '__particle_verb demo' -l pipeline -d 'A video pipeline of containers on two nodes, and where the time went'
complete -c particle -n '__particle_verb demo' -l seconds -x -d 'With --pipeline: how much video, a container a second and stage (default: 10)'
complete -c particle -n '__particle_verb demo' -l remove -x -a '(__fish_complete_directories)' -d 'Remove what --keep left at DIR'


complete -c particle -n '__particle_verb gc' -l dry-run -d 'Say what would be done and change nothing'
complete -c particle -n '__particle_verb gc' -l alive -r -F -d 'The holders that live, one per line; leases of all others are released; `-` is stdin'

complete -c particle -n '__particle_verb completion' -x -a 'bash zsh fish'


complete -c particle -n '__particle_verb bench' -l design -x -a '(__particle_names designs)' -d 'A design of `particle bench list` (default: all)'
complete -c particle -n '__particle_verb bench' -l endpoints -x -d 'A number of endpoints or containers, up to 65000 (default: 1, 10, 100, 400, 1000, 1600, 10000 and 65000, containers 1, 10 and 100, each where the design can)'
complete -c particle -n '__particle_verb bench' -l repeats -x -d 'How often each is measured (default: 5, with --quick 3)'
complete -c particle -n '__particle_verb bench' -l minutes -x -d 'End after about so long: what takes longest gets fewer repeats; the first round is always whole'
complete -c particle -n '__particle_verb bench' -l quick -d '1, 10 and 100 endpoints, 4 containers, about 40 seconds; never refuses'
complete -c particle -n '__particle_verb bench' -l although-busy -d 'Measure although other programs keep the machine busy; the results say so'
complete -c particle -n '__particle_verb bench' -l out -r -F -d 'Write the results there, as JSON'
complete -c particle -n '__particle_verb bench; and test (count (__particle_words)) = 1' -a 'list report compare'


complete -c particle -n '__particle_verb bench-report' -s o -l output -r -F -d 'The page (default: RESULTS with the ending .html)'
complete -c particle -n '__particle_verb bench-report' -l csv -r -F -d 'Also write every figure as comma-separated values'
complete -c particle -n '__particle_verb bench-report' -l png -x -a '(__fish_complete_directories)' -d 'Also draw every chart there, as a PNG file named after its section'
complete -c particle -n '__particle_verb bench-report' -l trace -r -F -d 'Also show what `particle trace --out` wrote; may be given several times'
complete -c particle -n '__particle_verb bench-report' -l programs -r -F -d 'Also show what bench/run recorded, table 3.1 among it; may be given several times'

complete -c particle -n '__particle_verb bench-compare' -l confidence -x -d 'How sure each figure must be (default: 95)'
complete -c particle -n '__particle_verb bench-compare' -l threshold -x -d 'Changes below this are none (default: 5)'

complete -c particle -n '__particle_verb trace' -s p -l pid -x -d 'Trace a process that runs already'
complete -c particle -n '__particle_verb trace' -l seconds -x -d 'With -p: for so long'
complete -c particle -n '__particle_verb trace' -l hertz -x -d 'Samples each second and processor (default: 3999)'
complete -c particle -n '__particle_verb trace' -l functions -x -d 'How single kernel functions are timed: fentry, kprobe, none, or auto (default), which takes the first that this kernel has'
complete -c particle -n '__particle_verb trace' -l out -r -F -d 'Write the whole trace there, as JSON'
complete -c particle -n '__particle_verb trace' -l flame -r -F -d 'Write a flame graph there, as SVG'
complete -c particle -n '__particle_verb trace' -a '(__fish_complete_subcommand)'

complete -c particle -n '__particle_verb fleet; and test (count (__particle_words)) = 1' -a 'run pipeline agent ps logs kill nodes'
