// SPDX-License-Identifier: Apache-2.0
#include "usage.hpp"

#include "text.hpp"

namespace particle::cli {
namespace {

std::string see_help(const std::string& verb) {
  return "`particle " + (verb.empty() ? std::string() : verb + " ") + "--help` shows the usage";
}

const CLI::App* verb_of(const CLI::App& root, const std::string& verb) {
  for (const CLI::App* app : root.get_subcommands([](const CLI::App* /*any*/) { return true; })) {
    if (app->get_name() == verb) {
      return app;
    }
  }
  return nullptr;
}

std::vector<std::string> option_names(const CLI::App& root, const std::string& verb) {
  std::vector<std::string> names;
  const auto collect = [&](const CLI::App& app) {
    for (const CLI::Option* option : app.get_options()) {
      for (const std::string& name : option->get_lnames()) {
        names.push_back("--" + name);
      }
    }
  };
  collect(root);
  if (const CLI::App* app = verb_of(root, verb)) {
    collect(*app);
  }
  return names;
}

Error extra_arguments(const CLI::App& root, const std::string& verb) {
  std::vector<std::string> problems;
  std::vector<std::string> suggestions;
  for (const std::string& word : root.remaining(true)) {
    if (!word.starts_with("-") || word == "-") {
      problems.push_back("unexpected argument " + shown(word));
      continue;
    }
    const std::string option = word.substr(0, word.find('='));
    problems.push_back("unknown option " + shown(option));
    if (const auto close = nearest(option, option_names(root, verb))) {
      suggestions.push_back(*close);
    }
  }
  std::string hint = see_help(verb);
  if (!suggestions.empty()) {
    hint = "did you mean " + join_words(suggestions) + "? " + hint;
  }
  if (problems.size() == 1) {
    return Error::of(Errc::invalid_argument, problems.front(), hint);
  }
  Error error =
      Error::of(Errc::invalid_argument,
                counted(problems.size(), "argument") + " that this verb does not take", hint);
  error.details = std::move(problems);
  return error;
}

/// CLI11 words it as "--vni: 1 required NUMBER missing" and "--vni: At most 1 required but ...".
Error wrong_number_of_values(const CLI::ParseError& error, const CLI::App& root,
                             const std::string& verb) {
  const std::string text = error.what();
  const std::string option = text.substr(0, text.find(':'));
  const CLI::App* app = verb_of(root, verb);
  const CLI::Option* found = app == nullptr ? nullptr : app->get_option_no_throw(option);
  if (found == nullptr) {
    found = root.get_option_no_throw(option);
  }
  const bool repeated = found != nullptr && found->count() > 1;
  if (!repeated) {
    return Error::of(Errc::invalid_argument, option + " needs a value", see_help(verb));
  }
  return Error::of(Errc::invalid_argument,
                   option + " is given " + std::to_string(found->count()) +
                       " times: " + join_words(found->results()),
                   "give it once");
}

}  // namespace

Error usage_error(const CLI::ParseError& error, const CLI::App& root, const std::string& verb) {
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
    return extra_arguments(root, verb);
  }
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr) {
    return wrong_number_of_values(error, root, verb);
  }
  return Error::of(Errc::invalid_argument, error.what(), see_help(verb));
}

Error unknown_verb(std::string_view word, const std::vector<std::string>& verbs) {
  std::string hint = "`particle --help` lists the verbs";
  if (const auto close = nearest(word, verbs)) {
    hint = "did you mean `particle " + *close + "`? " + hint;
  }
  return Error::of(Errc::invalid_argument, "unknown verb " + shown(word), hint);
}

Error missing_verb() {
  return Error::of(Errc::invalid_argument, "no verb is given",
                   "`particle --help` lists the verbs; `particle demo` shows what it does");
}

}  // namespace particle::cli
