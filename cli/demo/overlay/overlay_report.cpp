// SPDX-License-Identifier: Apache-2.0
#include "demo/draw.hpp"
#include "demo/overlay/overlay_demo.hpp"
#include "steps.hpp"
#include "text.hpp"

namespace particle::cli::demo {
namespace {

std::string ms(std::chrono::nanoseconds time) {
  return in_ms(time) + " ms";
}

}  // namespace

std::string to_text(const OverlayFacts& facts, const Style& style) {
  const std::string nodes = counted(facts.options.nodes, "node");
  std::string text = style.bold("particle demo --overlay " + facts.options.overlay) + ": " + nodes +
                     ", each with a pool of " + counted(facts.options.endpoints, "endpoint") +
                     " of one tenant\n";
  if (facts.unprivileged) text += "Not root: this runs in a user namespace, as root of that.\n";
  text += "\n  daemons and agents ran after " + ms(facts.control_plane) + "\n";
  text += "  all nodes reached each other " + ms(facts.met) + " after the first create\n\n";
  text += "A second pool on each node, until the others' packets arrived there; and its end:\n";
  Table table({"NODE", "CREATE", "FIRST OTHER", "ALL OTHERS", "DELETED, FORGOTTEN"});
  for (const Announced& one : facts.announced) {
    table.add({one.node, ms(one.create), ms(one.first), ms(one.everywhere), ms(one.withdrawn)});
  }
  text += table.to_string(style) + "\n";
  const std::string counts = std::to_string(facts.traffic.reached) + " of " +
                             std::to_string(facts.traffic.wanted) + " TCP connections, " +
                             facts.traffic.what + ", in " + ms(facts.traffic.took);
  text += (facts.proven() ? style.good("proven: ") : style.bad("NOT proven: ")) + counts + "\n";
  for (const auto& problem : facts.traffic.problems) text += "  " + problem + "\n";
  text += "Everything was removed. It took " + ms(facts.total) + " in all.\n";
  return text;
}

Json to_json(const OverlayFacts& facts) {
  Json announced = Json::array();
  for (const Announced& one : facts.announced) {
    announced.push_back({{"node", one.node},
                         {"create_ms", to_ms(one.create)},
                         {"first_ms", to_ms(one.first)},
                         {"everywhere_ms", to_ms(one.everywhere)},
                         {"withdrawn_ms", to_ms(one.withdrawn)}});
  }
  return {{"overlay", facts.options.overlay},
          {"nodes", facts.options.nodes},
          {"endpoints", facts.options.endpoints},
          {"unprivileged", facts.unprivileged},
          {"control_plane_ms", to_ms(facts.control_plane)},
          {"met_ms", to_ms(facts.met)},
          {"announced", std::move(announced)},
          {"connections",
           {{"wanted", facts.traffic.wanted},
            {"reached", facts.traffic.reached},
            {"problems", facts.traffic.problems}}},
          {"proven", facts.proven()},
          {"total_ms", to_ms(facts.total)}};
}

}  // namespace particle::cli::demo
