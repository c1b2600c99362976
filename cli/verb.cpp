// SPDX-License-Identifier: Apache-2.0
#include "verb.hpp"

#include <string_view>
#include <utility>

#include "exit_codes.hpp"
#include "text.hpp"

namespace particle::cli {
namespace {

constexpr std::size_t kHelpWidth = 88;
constexpr std::size_t kHelpColumn = 26;

/// Carries a verb's texts: CLI11 has no slot for a synopsis or for examples.
class VerbFormatter final : public CLI::FormatterBase {
 public:
  explicit VerbFormatter(VerbText text) : text_(std::move(text)) {}
  [[nodiscard]] const VerbText& text() const noexcept { return text_; }
  std::string make_help(const CLI::App* app, std::string /*name*/,
                        CLI::AppFormatMode /*mode*/) const override {
    return help_of(*app, *app->get_parent());
  }

 private:
  VerbText text_;
};

std::string option_heading(const CLI::Option& option) {
  if (option.get_positional()) {
    return option.get_name(true);
  }
  std::string heading = option.get_name(false, true);
  if (option.get_type_size() != 0 && option.get_items_expected_max() != 0) {
    heading += " " + option.get_type_name();
  }
  const std::size_t comma = heading.find(',');
  if (comma != std::string::npos) {
    heading.insert(comma + 1, " ");
  }
  return heading;
}

void append_option(std::string& out, const CLI::Option& option) {
  std::string line = "  " + option_heading(option);
  if (line.size() + 2 > kHelpColumn) {
    out += line + "\n";
    line.clear();
  }
  line.resize(kHelpColumn, ' ');
  out += line +
         indent_after_first(wrap(option.get_description(), kHelpWidth - kHelpColumn), kHelpColumn);
  out += "\n";
}

void append_options(std::string& out, const CLI::App& app, std::string_view title,
                    bool positional) {
  std::string lines;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional() == positional && !option->get_group().empty()) {
      append_option(lines, *option);
    }
  }
  if (!lines.empty()) {
    out += "\n" + std::string(title) + ":\n" + lines;
  }
}

}  // namespace

CLI::App& begin_verb(CLI::App& root, VerbText text) {
  CLI::App& verb = *root.add_subcommand(text.name);
  verb.formatter(std::make_shared<VerbFormatter>(std::move(text)));
  verb.fallthrough();
  verb.set_help_flag("-h,--help", "Show this help and exit");
  return verb;
}

CLI::Option* add_value(CLI::App& verb, const std::string& name, Value& value,
                       const std::string& type, const std::string& help) {
  const CLI::callback_t store = [&value](const CLI::results_t& results) {
    value.text = results.front();
    value.given = true;
    return true;
  };
  return verb.add_option(name, store, help)->type_name(type);
}

CLI::Option* add_values(CLI::App& verb, const std::string& name, std::vector<std::string>& values,
                        const std::string& type, const std::string& help) {
  const CLI::callback_t store = [&values](const CLI::results_t& results) {
    values = results;
    return true;
  };
  return verb.add_option(name, store, help)
      ->type_name(type)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

CLI::Option* add_value_list(CLI::App& verb, const std::string& name,
                            std::vector<std::string>& values, const std::string& type,
                            const std::string& help) {
  return add_values(verb, name, values, type, help)->allow_extra_args();
}

CLI::Option* add_switch(CLI::App& verb, const std::string& name, bool& given,
                        const std::string& help) {
  return verb.add_flag(name, given, help);
}

void set_action(CLI::App& verb, Context& context, std::function<Result<int>()> action) {
  verb.callback([&context, action = std::move(action)] { context.action = action; });
}

void add_global_options(CLI::App& root, Context& context) {
  root.set_help_flag("-h,--help", "Show help and exit");
  root.add_option("--run-dir", context.run_dir,
                  "Where records, leases and pinned namespaces are kept (environment: "
                  "PARTICLE_RUN_DIR; default: /run/particle)")
      ->type_name("DIR");
  root.add_flag("--json", context.json, "Print the result, or the error, as JSON on stdout");
  root.add_flag("--no-color", context.no_color,
                "No colours, not even on a terminal (environment: NO_COLOR)");
  root.add_flag("-v,--verbose", context.verbosity, "Log what happens to stderr; -vv logs more");
}

const VerbText& text_of(const CLI::App& verb) {
  return dynamic_cast<const VerbFormatter&>(*verb.get_formatter()).text();
}

std::string help_of(const CLI::App& verb, const CLI::App& root) {
  const VerbText& text = text_of(verb);
  std::string out = "Usage: particle " + text.name;
  if (!text.synopsis.empty()) {
    const std::size_t column = out.size() + 1;
    out += " " + indent_after_first(wrap_synopsis(text.synopsis, kHelpWidth - column), column);
  }
  out += "\n\n" + wrap(text.description, kHelpWidth) + "\n";
  append_options(out, verb, "Arguments", true);
  append_options(out, verb, "Options", false);
  std::string globals;
  for (const CLI::Option* option : root.get_options()) {
    if (option != root.get_help_ptr()) {
      append_option(globals, *option);
    }
  }
  out += "\nGlobal options (before or after the verb):\n" + globals;
  out += "\nExamples:\n" + indent(text.examples, 2);
  out += "\nExit codes:\n" + indent(wrap(exit_code_summary(text.name), kHelpWidth - 2), 2);
  return out;
}

}  // namespace particle::cli
