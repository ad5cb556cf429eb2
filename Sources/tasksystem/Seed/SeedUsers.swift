/// Three organizations and twelve people.
extension SeedData {
    static let organizations: [Organization] = [
        ("Northwind Freight", "northwind-freight.example"),
        ("Harbor & Pine Outfitters", "harborpine.example"),
        ("Lumen Clinics", "lumenclinics.example"),
    ].enumerated().map { index, entry in
        Organization(
            id: Int64(index + 1), name: entry.0, domain: entry.1, createdAt: time(minutes: index),
            updatedAt: time(minutes: index))
    }

    static let users: [User] = [
        ("Amara Okafor", User.Role.admin, 1), ("Jonas Lindqvist", .manager, 1), ("Mei-Ling Zhao", .member, 1),
        ("Tomás Herrera", .member, 1), ("Priya Raman", .admin, 2), ("Luca Bianchi", .manager, 2),
        ("Hannah Weiss", .member, 2), ("Kofi Mensah", .member, 2), ("Sofia Petrova", .admin, 3),
        ("Daniel O'Connor", .manager, 3), ("Yuki Tanaka", .member, 3), ("Elif Demir", .member, 3),
    ].enumerated().map { index, entry in
        let (name, role, organization) = entry
        let domain = organizations[organization - 1].domain
        return User(
            id: Int64(index + 1), organizationID: Int64(organization), name: name,
            email: "\(emailNames[index])@\(domain)", role: role, createdAt: time(minutes: 5 + index),
            updatedAt: time(minutes: 5 + index))
    }

    private static let emailNames = [
        "amara.okafor", "jonas.lindqvist", "meiling.zhao", "tomas.herrera", "priya.raman", "luca.bianchi",
        "hannah.weiss", "kofi.mensah", "sofia.petrova", "daniel.oconnor", "yuki.tanaka", "elif.demir",
    ]

    /// First name of a user, as colleagues write it.
    static func firstName(_ user: Int64) -> String {
        let name = users[Int(user - 1)].name
        return String(name.prefix { $0 != " " })
    }
}
