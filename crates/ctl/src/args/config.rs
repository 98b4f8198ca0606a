//! Arguments of `pitlane config` and `pitlane log`.

use clap::{Args, Subcommand};

/// Commands about anything that is configured. What there is comes from the Management Node.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Lists what can be configured.
    Resources,
    /// Describes the fields of a resource.
    Fields {
        /// The resource, such as role.
        resource: String,
    },
    /// Lists the objects of a resource.
    List {
        /// The resource, such as role.
        resource: String,
        /// Shows those that match alone: FIELD=VALUE, FIELD__OPERATOR=VALUE.
        #[arg(value_name = "FIELD=VALUE", value_parser = assignment)]
        filters: Vec<(String, String)>,
    },
    /// Shows one object.
    Show {
        /// The resource, such as role.
        resource: String,
        /// The name of the object, or its number.
        name: String,
    },
    /// Adds an object.
    Add {
        /// The resource, such as role.
        resource: String,
        /// Its fields. @FILE takes the value from a file, @- from standard input; other objects are given by name or
        /// number, several with commas between them.
        #[arg(value_name = "FIELD=VALUE", value_parser = assignment)]
        fields: Vec<(String, String)>,
    },
    /// Changes fields of an object. The others keep their values.
    Set {
        /// The resource, such as role.
        resource: String,
        /// The name of the object, or its number.
        name: String,
        /// The fields, as with add.
        #[arg(value_name = "FIELD=VALUE", value_parser = assignment, required = true)]
        fields: Vec<(String, String)>,
    },
    /// Removes an object, after asking.
    Remove {
        /// The resource, such as role.
        resource: String,
        /// The name of the object, or its number.
        name: String,
        /// Removes it without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// Which changes are shown.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// Those of one account alone.
    #[arg(long, value_name = "NAME")]
    pub(crate) account: Option<String>,
    /// Those of one kind of object alone, such as worker_vm.
    #[arg(long, value_name = "RESOURCE")]
    pub(crate) resource: Option<String>,
    /// How many, the newest ones.
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    pub(crate) last: u32,
}

/// `FIELD=VALUE`.
fn assignment(text: &str) -> Result<(String, String), String> {
    let (field, value) = text.split_once('=').ok_or("write it as FIELD=VALUE")?;
    Ok((field.to_string(), value.to_string()))
}
