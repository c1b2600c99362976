// SPDX-License-Identifier: Apache-2.0
/// One function per verb. Each adds its subcommand to `root` and, when the subcommand is parsed,
/// leaves its work in `context.action`; see begin_verb() and on_run() in verb.hpp.
#pragma once

namespace CLI {
class App;
}

namespace particle::cli {

struct Context;

void add_create_pool(CLI::App& root, Context& context);
void add_list_pools(CLI::App& root, Context& context);
void add_show_pool(CLI::App& root, Context& context);
void add_resize_pool(CLI::App& root, Context& context);
void add_delete_pool(CLI::App& root, Context& context);
void add_lease(CLI::App& root, Context& context);
void add_release(CLI::App& root, Context& context);
void add_list_leases(CLI::App& root, Context& context);
void add_exec(CLI::App& root, Context& context);
void add_run(CLI::App& root, Context& context);
void add_add_peer(CLI::App& root, Context& context);
void add_remove_peer(CLI::App& root, Context& context);
void add_list_peers(CLI::App& root, Context& context);
void add_agent(CLI::App& root, Context& context);
void add_frr_config(CLI::App& root, Context& context);
void add_allocate_block(CLI::App& root, Context& context);
void add_release_block(CLI::App& root, Context& context);
void add_list_blocks(CLI::App& root, Context& context);
void add_fleet_run(CLI::App& root, Context& context);
void add_fleet_agent(CLI::App& root, Context& context);
void add_fleet_pipeline(CLI::App& root, Context& context);
void add_fleet_ps(CLI::App& root, Context& context);
void add_fleet_logs(CLI::App& root, Context& context);
void add_fleet_kill(CLI::App& root, Context& context);
void add_fleet_nodes(CLI::App& root, Context& context);
void add_doctor(CLI::App& root, Context& context);
void add_gc(CLI::App& root, Context& context);
void add_demo(CLI::App& root, Context& context);
void add_bench(CLI::App& root, Context& context);
void add_bench_list(CLI::App& root, Context& context);
void add_bench_report(CLI::App& root, Context& context);
void add_bench_compare(CLI::App& root, Context& context);
void add_trace(CLI::App& root, Context& context);
void add_completion(CLI::App& root, Context& context);
void add_version(CLI::App& root, Context& context);

// Hidden: what completion scripts and the manual's generator ask.
void add_list_names(CLI::App& root, Context& context);
void add_describe(CLI::App& root, Context& context);

}  // namespace particle::cli
